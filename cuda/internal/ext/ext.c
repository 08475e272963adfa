//go:build gpu

// The typed calls behind ext.h. The functions are found by Go: see Open and OpenLt.

#include "ext.h"

#include <stdlib.h>

// A function of the driver: its name and its parameters.
#define DRIVER(X)                                                                                                    \
	X(cuMemAllocHost_v2, (void **, size_t))                                                                          \
	X(cuMemFreeHost, (void *))                                                                                       \
	X(cuModuleLoadDataEx, (handle *, const void *, unsigned, int *, void **))                                        \
	X(cuModuleUnload, (handle))                                                                                      \
	X(cuModuleGetFunction, (handle *, handle, const char *))                                                         \
	X(cuFuncGetAttribute, (int *, int, handle))                                                                      \
	X(cuFuncSetAttribute, (handle, int, int))                                                                        \
	X(cuLaunchKernel, (handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, handle, void **, void **)) \
	X(cuMemcpyHtoDAsync_v2, (address, const void *, size_t, handle))                                                 \
	X(cuMemcpyDtoHAsync_v2, (void *, address, size_t, handle))                                                       \
	X(cuMemcpyDtoDAsync_v2, (address, address, size_t, handle))                                                      \
	X(cuMemsetD8Async, (address, unsigned char, size_t, handle))                                                     \
	X(cuMemsetD32Async, (address, unsigned, size_t, handle))                                                         \
	X(cuStreamCreate, (handle *, unsigned))                                                                          \
	X(cuStreamDestroy_v2, (handle))                                                                                  \
	X(cuStreamSynchronize, (handle))                                                                                 \
	X(cuStreamWaitEvent, (handle, handle, unsigned))                                                                 \
	X(cuStreamBeginCapture_v2, (handle, int))                                                                        \
	X(cuStreamEndCapture, (handle, handle *))                                                                        \
	X(cuGraphInstantiateWithFlags, (handle *, handle, unsigned long long))                                           \
	X(cuGraphGetNodes, (handle, handle *, size_t *))                                                                 \
	X(cuGraphDestroy, (handle))                                                                                      \
	X(cuGraphLaunch, (handle, handle))                                                                               \
	X(cuGraphExecDestroy, (handle))                                                                                  \
	X(cuEventCreate, (handle *, unsigned))                                                                           \
	X(cuEventDestroy_v2, (handle))                                                                                   \
	X(cuEventRecord, (handle, handle))                                                                               \
	X(cuEventSynchronize, (handle))                                                                                  \
	X(cuEventQuery, (handle))                                                                                        \
	X(cuEventElapsedTime, (float *, handle, handle))

// The same for cuBLASLt.
#define LT(X)                                                                                                        \
	X(cublasLtCreate, (handle *))                                                                                    \
	X(cublasLtDestroy, (handle))                                                                                     \
	X(cublasLtMatmulDescCreate, (handle *, int, int))                                                                \
	X(cublasLtMatmulDescDestroy, (handle))                                                                           \
	X(cublasLtMatmulDescSetAttribute, (handle, int, const void *, size_t))                                           \
	X(cublasLtMatrixLayoutCreate, (handle *, int, uint64_t, uint64_t, int64_t))                                      \
	X(cublasLtMatrixLayoutDestroy, (handle))                                                                         \
	X(cublasLtMatrixLayoutSetAttribute, (handle, int, const void *, size_t))                                         \
	X(cublasLtMatmulPreferenceCreate, (handle *))                                                                    \
	X(cublasLtMatmulPreferenceDestroy, (handle))                                                                     \
	X(cublasLtMatmulPreferenceSetAttribute, (handle, int, const void *, size_t))                                     \
	X(cublasLtMatmulAlgoGetHeuristic, (handle, handle, handle, handle, handle, handle, handle, int, ext_algorithm *, int *)) \
	X(cublasLtMatmul, (handle, handle, const void *, address, handle, address, handle, const void *, address, handle, address, handle, \
		const void *, address, size_t, handle))

#define INDEX(name, params) index_##name,
#define NAME(name, params) #name,
#define TYPE(name, params) typedef int(*type_##name) params;

enum { DRIVER(INDEX) driver_functions };
enum { LT(INDEX) lt_functions };
DRIVER(TYPE)
LT(TYPE)
typedef size_t (*type_cublasLtGetVersion)(void);

static const char *const driver_name[] = { DRIVER(NAME) };
static const char *const lt_name[] = { LT(NAME) "cublasLtGetVersion" };
static void *driver[driver_functions];
static void *lt[lt_functions + 1];

int ext_driver_count(void) { return driver_functions; }
const char *ext_driver_name(int i) { return driver_name[i]; }
void ext_driver_set(int i, void *function) { driver[i] = function; }
int ext_lt_count(void) { return lt_functions + 1; }
const char *ext_lt_name(int i) { return lt_name[i]; }
void ext_lt_set(int i, void *function) { lt[i] = function; }

// What a call returns where the function is missing: CUDA_ERROR_NOT_FOUND, CUBLAS_STATUS_NOT_INITIALIZED.
#define CALL(name, ...) (driver[index_##name] == NULL ? 500 : ((type_##name)driver[index_##name])(__VA_ARGS__))
#define CALL_LT(name, ...) (lt[index_##name] == NULL ? 1 : ((type_##name)lt[index_##name])(__VA_ARGS__))

int ext_host_alloc(void **p, size_t bytes) { return CALL(cuMemAllocHost_v2, p, bytes); }
int ext_host_free(void *p) { return CALL(cuMemFreeHost, p); }

int ext_module_load(handle *module, const char *ptx, char *log, unsigned bytes) {
	int options[] = { 5, 6 }; // the buffer for errors, and its size
	void *values[] = { log, (void *)(uintptr_t)bytes };
	log[0] = 0;
	return CALL(cuModuleLoadDataEx, module, ptx, 2, options, values);
}

int ext_module_unload(handle module) { return CALL(cuModuleUnload, module); }
int ext_module_function(handle *function, handle module, const char *name) { return CALL(cuModuleGetFunction, function, module, name); }
int ext_function_get(int *value, int attribute, handle function) { return CALL(cuFuncGetAttribute, value, attribute, function); }
int ext_function_set(handle function, int attribute, int value) { return CALL(cuFuncSetAttribute, function, attribute, value); }

int ext_launch(handle function, const unsigned *grid, const unsigned *block, unsigned shared, handle stream,
	const char *params, const intptr_t *offsets, int n) {
	enum { most = 64 };
	void *place[most];
	if (n > most)
		return 1; // CUDA_ERROR_INVALID_VALUE
	for (int i = 0; i < n; i++)
		place[i] = (void *)(params + offsets[i]);
	return CALL(cuLaunchKernel, function, grid[0], grid[1], grid[2], block[0], block[1], block[2], shared, stream, place, NULL);
}

int ext_copy_in(address to, const void *from, size_t bytes, handle stream) { return CALL(cuMemcpyHtoDAsync_v2, to, from, bytes, stream); }
int ext_copy_out(void *to, address from, size_t bytes, handle stream) { return CALL(cuMemcpyDtoHAsync_v2, to, from, bytes, stream); }
int ext_copy(address to, address from, size_t bytes, handle stream) { return CALL(cuMemcpyDtoDAsync_v2, to, from, bytes, stream); }
int ext_set8(address to, unsigned char value, size_t n, handle stream) { return CALL(cuMemsetD8Async, to, value, n, stream); }
int ext_set32(address to, unsigned value, size_t n, handle stream) { return CALL(cuMemsetD32Async, to, value, n, stream); }

int ext_stream_create(handle *stream, unsigned flags) { return CALL(cuStreamCreate, stream, flags); }
int ext_stream_destroy(handle stream) { return CALL(cuStreamDestroy_v2, stream); }
int ext_stream_sync(handle stream) { return CALL(cuStreamSynchronize, stream); }
int ext_stream_await(handle stream, handle event) { return CALL(cuStreamWaitEvent, stream, event, 0); }
int ext_stream_begin_capture(handle stream, int mode) { return CALL(cuStreamBeginCapture_v2, stream, mode); }
int ext_stream_end_capture(handle stream, handle *graph) { return CALL(cuStreamEndCapture, stream, graph); }
int ext_graph_instantiate(handle *executable, handle graph) { return CALL(cuGraphInstantiateWithFlags, executable, graph, 0); }
int ext_graph_nodes(handle graph, size_t *n) { return CALL(cuGraphGetNodes, graph, NULL, n); }
int ext_graph_destroy(handle graph) { return CALL(cuGraphDestroy, graph); }
int ext_executable_launch(handle executable, handle stream) { return CALL(cuGraphLaunch, executable, stream); }
int ext_executable_destroy(handle executable) { return CALL(cuGraphExecDestroy, executable); }

int ext_event_create(handle *event, unsigned flags) { return CALL(cuEventCreate, event, flags); }
int ext_event_destroy(handle event) { return CALL(cuEventDestroy_v2, event); }
int ext_event_record(handle event, handle stream) { return CALL(cuEventRecord, event, stream); }
int ext_event_sync(handle event) { return CALL(cuEventSynchronize, event); }
int ext_event_query(handle event) { return CALL(cuEventQuery, event); }
int ext_event_elapsed(float *milliseconds, handle from, handle to) { return CALL(cuEventElapsedTime, milliseconds, from, to); }

size_t ext_lt_version(void) { return lt[lt_functions] == NULL ? 0 : ((type_cublasLtGetVersion)lt[lt_functions])(); }
int ext_lt_create(handle *h) { return CALL_LT(cublasLtCreate, h); }
int ext_lt_destroy(handle h) { return CALL_LT(cublasLtDestroy, h); }
int ext_lt_product_create(handle *product, int compute, int scale) { return CALL_LT(cublasLtMatmulDescCreate, product, compute, scale); }
int ext_lt_product_destroy(handle product) { return CALL_LT(cublasLtMatmulDescDestroy, product); }
int ext_lt_product_set(handle product, int attribute, const void *value, size_t bytes) {
	return CALL_LT(cublasLtMatmulDescSetAttribute, product, attribute, value, bytes);
}
int ext_lt_layout_create(handle *layout, int type, uint64_t rows, uint64_t cols, int64_t ld) {
	return CALL_LT(cublasLtMatrixLayoutCreate, layout, type, rows, cols, ld);
}
int ext_lt_layout_destroy(handle layout) { return CALL_LT(cublasLtMatrixLayoutDestroy, layout); }
int ext_lt_layout_set(handle layout, int attribute, const void *value, size_t bytes) {
	return CALL_LT(cublasLtMatrixLayoutSetAttribute, layout, attribute, value, bytes);
}
int ext_lt_preference_create(handle *preference) { return CALL_LT(cublasLtMatmulPreferenceCreate, preference); }
int ext_lt_preference_destroy(handle preference) { return CALL_LT(cublasLtMatmulPreferenceDestroy, preference); }
int ext_lt_preference_set(handle preference, int attribute, const void *value, size_t bytes) {
	return CALL_LT(cublasLtMatmulPreferenceSetAttribute, preference, attribute, value, bytes);
}

int ext_lt_heuristic(handle h, handle product, const handle *layouts, handle preference, int n, ext_algorithm *found,
	int *count) {
	return CALL_LT(cublasLtMatmulAlgoGetHeuristic, h, product, layouts[0], layouts[1], layouts[2], layouts[3], preference,
		n, found, count);
}

int ext_lt_run(handle h, handle product, const handle *layouts, const address *operands, float alpha, float beta,
	const ext_algorithm *algorithm, address workspace, size_t bytes, handle stream) {
	return CALL_LT(cublasLtMatmul, h, product, &alpha, operands[0], layouts[0], operands[1], layouts[1], &beta,
		operands[2], layouts[2], operands[3], layouts[3], algorithm, workspace, bytes, stream);
}
