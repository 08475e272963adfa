//go:build gpu

// The tables of the functions that stand in for those of the driver and of cuBLASLt. They are Go: see the files beside.

#include "entry.h"

#include "_cgo_export.h"
#include <stdlib.h>

#define DRIVER(X)                                                                                                    \
	X("cuInit", emuInit)                                                                                             \
	X("cuDriverGetVersion", emuVersion)                                                                              \
	X("cuDeviceGetCount", emuDeviceGetCount)                                                                         \
	X("cuDeviceGet", emuDeviceGet)                                                                                   \
	X("cuDeviceGetName", emuDeviceGetName)                                                                           \
	X("cuDeviceGetUuid", emuDeviceGetUuid)                                                                           \
	X("cuDeviceGetUuid_v2", emuDeviceGetUuid)                                                                        \
	X("cuDeviceTotalMem_v2", emuDeviceTotalMem)                                                                      \
	X("cuDeviceGetAttribute", emuDeviceGetAttribute)                                                                 \
	X("cuDevicePrimaryCtxRetain", emuContextRetain)                                                                  \
	X("cuDevicePrimaryCtxRelease_v2", emuContextRelease)                                                             \
	X("cuCtxSetCurrent", emuContextSet)                                                                              \
	X("cuCtxGetCurrent", emuContextGet)                                                                              \
	X("cuCtxSynchronize", emuSynchronize)                                                                            \
	X("cuMemGetInfo_v2", emuMemGetInfo)                                                                              \
	X("cuMemAlloc_v2", emuMemAlloc)                                                                                  \
	X("cuMemFree_v2", emuMemFree)                                                                                    \
	X("cuMemAllocHost_v2", emuMemAllocHost)                                                                          \
	X("cuMemFreeHost", emuMemFreeHost)                                                                               \
	X("cuMemGetAddressRange_v2", emuMemGetAddressRange)                                                              \
	X("cuModuleLoadDataEx", emuModuleLoadDataEx)                                                                     \
	X("cuModuleLoadData", emuModuleLoadData)                                                                         \
	X("cuModuleUnload", emuModuleUnload)                                                                             \
	X("cuModuleGetFunction", emuModuleGetFunction)                                                                   \
	X("cuFuncGetAttribute", emuFuncGetAttribute)                                                                     \
	X("cuFuncSetAttribute", emuFuncSetAttribute)                                                                     \
	X("cuLaunchKernel", emuLaunchKernel)                                                                             \
	X("cuStreamCreate", emuStreamCreate)                                                                             \
	X("cuStreamDestroy_v2", emuStreamDestroy)                                                                        \
	X("cuStreamSynchronize", emuStreamSynchronize)                                                                   \
	X("cuStreamQuery", emuStreamQuery)                                                                               \
	X("cuStreamWaitEvent", emuStreamWaitEvent)                                                                       \
	X("cuStreamBeginCapture_v2", emuStreamBeginCapture)                                                              \
	X("cuStreamEndCapture", emuStreamEndCapture)                                                                     \
	X("cuStreamIsCapturing", emuStreamIsCapturing)                                                                   \
	X("cuGraphInstantiateWithFlags", emuGraphInstantiate)                                                            \
	X("cuGraphGetNodes", emuGraphGetNodes)                                                                           \
	X("cuGraphDestroy", emuGraphDestroy)                                                                             \
	X("cuGraphLaunch", emuGraphLaunch)                                                                               \
	X("cuGraphExecDestroy", emuGraphExecDestroy)                                                                     \
	X("cuEventCreate", emuEventCreate)                                                                               \
	X("cuEventDestroy_v2", emuEventDestroy)                                                                          \
	X("cuEventRecord", emuEventRecord)                                                                               \
	X("cuEventSynchronize", emuEventSynchronize)                                                                     \
	X("cuEventQuery", emuEventQuery)                                                                                 \
	X("cuEventElapsedTime", emuEventElapsedTime)                                                                     \
	X("cuMemcpyHtoD_v2", emuCopyHtoD)                                                                                \
	X("cuMemcpyDtoH_v2", emuCopyDtoH)                                                                                \
	X("cuMemcpyDtoD_v2", emuCopyDtoD)                                                                                \
	X("cuMemcpyHtoDAsync_v2", emuCopyHtoDAsync)                                                                      \
	X("cuMemcpyDtoHAsync_v2", emuCopyDtoHAsync)                                                                      \
	X("cuMemcpyDtoDAsync_v2", emuCopyDtoDAsync)                                                                      \
	X("cuMemsetD8_v2", emuSet8)                                                                                      \
	X("cuMemsetD32_v2", emuSet32)                                                                                    \
	X("cuMemsetD8Async", emuSet8Async)                                                                               \
	X("cuMemsetD32Async", emuSet32Async)

#define LIBRARY(X)                                                                                                   \
	X("cublasLtCreate", emuLtCreate)                                                                                 \
	X("cublasLtDestroy", emuLtDestroy)                                                                               \
	X("cublasLtMatmulDescCreate", emuLtMatmulDescCreate)                                                             \
	X("cublasLtMatmulDescDestroy", emuLtMatmulDescDestroy)                                                           \
	X("cublasLtMatmulDescSetAttribute", emuLtMatmulDescSetAttribute)                                                 \
	X("cublasLtMatrixLayoutCreate", emuLtMatrixLayoutCreate)                                                         \
	X("cublasLtMatrixLayoutDestroy", emuLtMatrixLayoutDestroy)                                                       \
	X("cublasLtMatrixLayoutSetAttribute", emuLtMatrixLayoutSetAttribute)                                             \
	X("cublasLtMatmulPreferenceCreate", emuLtMatmulPreferenceCreate)                                                 \
	X("cublasLtMatmulPreferenceDestroy", emuLtMatmulPreferenceDestroy)                                               \
	X("cublasLtMatmulPreferenceSetAttribute", emuLtMatmulPreferenceSetAttribute)                                     \
	X("cublasLtMatmulAlgoGetHeuristic", emuLtMatmulAlgoGetHeuristic)                                                 \
	X("cublasLtMatmul", emuLtMatmul)                                                                                 \
	X("cublasLtGetVersion", emuLtGetVersion)

#define ROW(name, function) { name, (void *)function },

static const ceto_entry driver[] = { DRIVER(ROW) { NULL, NULL } };
static const ceto_entry library[] = { LIBRARY(ROW) { NULL, NULL } };

const ceto_entry *ceto_driver_entries(void) { return driver; }
const ceto_entry *ceto_library_entries(void) { return library; }

static ceto_handle *all; // under the lock of package entry

ceto_handle *ceto_handle_new(uint64_t number) {
	ceto_handle *h = malloc(sizeof *h);
	if (h != NULL) {
		h->number = number;
		h->next = all;
		all = h;
	}
	return h;
}

void ceto_handle_free_all(void) {
	while (all != NULL) {
		ceto_handle *next = all->next;
		free(all);
		all = next;
	}
}

void *ceto_pages(size_t n) {
	void *p;
	return posix_memalign(&p, 4096, n) == 0 ? p : NULL;
}
