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

// ceto_entry is a function that stands in for the one of that name. The last of a table has no name.
typedef struct {
	const char *name;
	void *address;
} ceto_entry;

const ceto_entry *ceto_driver_entries(void);
const ceto_entry *ceto_library_entries(void);

// ceto_heuristic is cublasLtMatmulHeuristicResult_t. The first 64 bytes are the algorithm.
typedef struct {
	uint64_t algorithm[8];
	size_t workspace;
	int status;
	float waves;
	int reserved[4];
} ceto_heuristic;

#endif
