#ifndef CETO_ENTRY_H
#define CETO_ENTRY_H

#include <stddef.h>
#include <stdint.h>

// ceto_handle is what a handle of the driver points to.
typedef struct ceto_handle {
	uint64_t number;
	struct ceto_handle *next;
} ceto_handle;

// ceto_handle_new returns a handle that holds a number. It stays until ceto_handle_free_all, NULL without memory.
ceto_handle *ceto_handle_new(uint64_t number);
void ceto_handle_free_all(void);

// ceto_pages returns n bytes at the begin of a page, for free.
void *ceto_pages(size_t n);

// The functions that stand in for the driver's.
int ceto_entry_count(void);
const char *ceto_entry_name(int i);
void *ceto_entry_address(int i);

#endif
