// A CUDA driver for tests, with what ceto doctor asks for. It is compiled with these macros, which plant faults:
//
//	INIT     what cuInit returns
//	COUNT    the number of GPUs
//	VERSION  of the driver
//	MAJOR    of the compute capability
//	RETAIN   what the opening of a context returns
//	LACKS    leaves cuLaunchKernel out
#include <stddef.h>
#include <string.h>

#ifndef INIT
#define INIT 0
#endif
#ifndef COUNT
#define COUNT 1
#endif
#ifndef VERSION
#define VERSION 12040
#endif
#ifndef MAJOR
#define MAJOR 9
#endif
#ifndef RETAIN
#define RETAIN 0
#endif

static int block;

int cuInit(unsigned flags) { return INIT; }
int cuDriverGetVersion(int *v) { return *v = VERSION, 0; }
int cuDeviceGetCount(int *n) { return *n = COUNT, 0; }
int cuDeviceGet(int *d, int i) { return *d = i, i < COUNT ? 0 : 101; }
int cuDeviceGetName(char *to, int n, int d) { return strncpy(to, "Fake GPU 3000", n), 0; }
int cuDeviceTotalMem_v2(size_t *n, int d) { return *n = (size_t)80 << 30, 0; }
int cuDeviceGetAttribute(int *v, int a, int d) { return *v = a == 75 ? MAJOR : a == 76 ? 0 : 132, 0; }
int cuDevicePrimaryCtxRetain(void **c, int d) { return *c = &block, RETAIN; }
int cuDevicePrimaryCtxRelease_v2(int d) { return 0; }
int cuCtxSetCurrent(void *c) { return c == &block ? 0 : 201; }
int cuMemGetInfo_v2(size_t *free, size_t *total) { return *free = (size_t)79 << 30, *total = (size_t)80 << 30, 0; }
int cuStreamCreate(void **s, unsigned flags) { return *s = &block, 0; }
int cuStreamDestroy_v2(void *s) { return s == &block ? 0 : 400; }

// What doctor finds and does not call.
#define UNUSED(name) int name(void) { return 999; }
UNUSED(cuCtxSynchronize)
UNUSED(cuMemAlloc_v2)
UNUSED(cuMemFree_v2)
UNUSED(cuMemAllocHost_v2)
UNUSED(cuMemFreeHost)
UNUSED(cuModuleLoadDataEx)
UNUSED(cuModuleUnload)
UNUSED(cuModuleGetFunction)
UNUSED(cuFuncSetAttribute)
#ifndef LACKS
UNUSED(cuLaunchKernel)
#endif
UNUSED(cuStreamSynchronize)
UNUSED(cuStreamWaitEvent)
UNUSED(cuEventCreate)
UNUSED(cuEventDestroy_v2)
UNUSED(cuEventRecord)
UNUSED(cuEventSynchronize)
UNUSED(cuEventQuery)
UNUSED(cuEventElapsedTime)
UNUSED(cuMemcpyHtoDAsync_v2)
UNUSED(cuMemcpyDtoHAsync_v2)
UNUSED(cuMemcpyDtoDAsync_v2)
UNUSED(cuMemsetD8Async)
UNUSED(cuMemsetD32Async)
