// What package cu lacks of the driver, and cuBLASLt. Handles are numbers here, so that Go never holds one as a pointer.
// Each function returns a CUresult, or a cublasStatus_t where its name begins with ext_lt.
#ifndef CETO_EXT_H
#define CETO_EXT_H

#include <stddef.h>
#include <stdint.h>

typedef uintptr_t handle;
typedef unsigned long long address;

// The tables of functions, by the names of the libraries' binary interfaces.
int ext_driver_count(void);
const char *ext_driver_name(int i);
void ext_driver_set(int i, void *function);
int ext_lt_count(void);
const char *ext_lt_name(int i);
void ext_lt_set(int i, void *function);

int ext_host_alloc(void **p, size_t bytes);
int ext_host_free(void *p);
int ext_module_load(handle *module, const char *ptx, char *log, unsigned bytes);
int ext_module_unload(handle module);
int ext_module_function(handle *function, handle module, const char *name);
int ext_function_get(int *value, int attribute, handle function);
int ext_function_set(handle function, int attribute, int value);

// ext_launch passes n parameters, which lie in params at the offsets.
int ext_launch(handle function, const unsigned *grid, const unsigned *block, unsigned shared, handle stream,
	const char *params, const intptr_t *offsets, int n);

int ext_copy_in(address to, const void *from, size_t bytes, handle stream);
int ext_copy_out(void *to, address from, size_t bytes, handle stream);
int ext_copy(address to, address from, size_t bytes, handle stream);
int ext_set8(address to, unsigned char value, size_t n, handle stream);
int ext_set32(address to, unsigned value, size_t n, handle stream);

int ext_stream_create(handle *stream, unsigned flags);
int ext_stream_destroy(handle stream);
int ext_stream_sync(handle stream);
int ext_stream_await(handle stream, handle event);
int ext_stream_begin_capture(handle stream, int mode);
int ext_stream_end_capture(handle stream, handle *graph);
int ext_graph_instantiate(handle *executable, handle graph);
int ext_graph_nodes(handle graph, size_t *n);
int ext_graph_destroy(handle graph);
int ext_executable_launch(handle executable, handle stream);
int ext_executable_destroy(handle executable);

int ext_event_create(handle *event, unsigned flags);
int ext_event_destroy(handle event);
int ext_event_record(handle event, handle stream);
int ext_event_sync(handle event);
int ext_event_query(handle event);
int ext_event_elapsed(float *milliseconds, handle from, handle to);

// ext_algorithm is cublasLtMatmulHeuristicResult_t. The first 64 bytes are the algorithm.
typedef struct {
	uint64_t algorithm[8];
	size_t workspace;
	int status;
	float waves;
	int reserved[4];
} ext_algorithm;

size_t ext_lt_version(void);
int ext_lt_create(handle *lt);
int ext_lt_destroy(handle lt);
int ext_lt_product_create(handle *product, int compute, int scale);
int ext_lt_product_destroy(handle product);
int ext_lt_product_set(handle product, int attribute, const void *value, size_t bytes);
int ext_lt_layout_create(handle *layout, int type, uint64_t rows, uint64_t cols, int64_t ld);
int ext_lt_layout_destroy(handle layout);
int ext_lt_layout_set(handle layout, int attribute, const void *value, size_t bytes);
int ext_lt_preference_create(handle *preference);
int ext_lt_preference_destroy(handle preference);
int ext_lt_preference_set(handle preference, int attribute, const void *value, size_t bytes);

// layouts are those of A, B, C and D.
int ext_lt_heuristic(handle lt, handle product, const handle *layouts, handle preference, int n, ext_algorithm *found,
	int *count);

// operands are the addresses of A, B, C and D.
int ext_lt_run(handle lt, handle product, const handle *layouts, const address *operands, float alpha, float beta,
	const ext_algorithm *algorithm, address workspace, size_t bytes, handle stream);

#endif
