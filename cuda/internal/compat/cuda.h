/* The CUDA header as package gorgonia.org/cu expects it. Put this folder before that of the toolkit's headers:
 *
 *     CGO_CFLAGS="-g -O2 -I<this folder> -I<the toolkit's include>"
 *
 * CUDA 13 gave five functions new parameters under their old names. The drivers still have the old ones, which are
 * declared here again, as the headers of CUDA 12 have them. */
#ifndef CETO_COMPAT_CUDA_H
#define CETO_COMPAT_CUDA_H

#include_next <cuda.h>

#if CUDA_VERSION >= 13000

#undef cuCtxCreate
#undef cuMemAdvise
#undef cuMemPrefetchAsync
#undef cuGraphAddDependencies
#undef cuGraphGetEdges

#define cuCtxCreate cuCtxCreate_v2

CUresult CUDAAPI cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device);
CUresult CUDAAPI cuMemAdvise(CUdeviceptr at, size_t bytes, CUmem_advise advice, CUdevice device);
CUresult CUDAAPI cuMemPrefetchAsync(CUdeviceptr at, size_t bytes, CUdevice to, CUstream stream);
CUresult CUDAAPI cuGraphAddDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t n);
CUresult CUDAAPI cuGraphGetEdges(CUgraph graph, CUgraphNode *from, CUgraphNode *to, size_t *n);

#endif

#endif
