// The forwarders' side of the link to the CUDA driver. See link.go.
#ifndef CETO_LINK_H
#define CETO_LINK_H

// ceto_link_symbol returns the address of a function of the driver, or NULL. It opens the driver at first use.
void *ceto_link_symbol(const char *name);

// ceto_link_override makes n functions the driver, in place of a library; 0 gives it back to a library. The names and
// addresses are copied. It returns 0 where memory is short.
int ceto_link_override(int n, char **names, void **addresses);

// ceto_link_init opens the driver and initialises it, once. It returns what cuInit returned, -1 where there is no
// library, or -2 where the library has no cuInit.
int ceto_link_init(void);

// ceto_link_library is the file that was opened, "" where there is none.
const char *ceto_link_library(void);

// ceto_link_tried are the places tried and what the loader said, one in a line.
const char *ceto_link_tried(void);

// ceto_link_version asks cuDriverGetVersion.
int ceto_link_version(int *version);

#endif
