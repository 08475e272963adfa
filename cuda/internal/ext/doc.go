// Package ext has what package gorgonia.org/cu lacks of the CUDA driver. That is pinned memory, attributes of
// functions, launches from a buffer of parameters, capture of a stream into a graph, and copies between raw addresses.
// It also has cuBLASLt. Without the build tag gpu there are only the types that describe a product.
//
// Handles and addresses are numbers. An error names the function and its result, as in
//
//	ext: cuLaunchKernel: CUDA_ERROR_INVALID_VALUE (1)
//
// and errors.Is finds the [link.Result] in it. All functions but Open need a context that is current in the thread.
package ext
