// A cuBLASLt for tests: products of float32 in the memory of the host, by columns. It has the epilogues none and bias.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
	int compute, scale, transA, transB, epilogue;
	const float *bias;
} product;

typedef struct {
	int type, batch;
	uint64_t rows, cols;
	int64_t ld, stride;
} layout;

typedef struct {
	uint64_t workspace;
	unsigned align[4];
} preference;

typedef struct {
	uint64_t algorithm[8];
	size_t workspace;
	int status;
	float waves;
	int reserved[4];
} found;

static int handle;

size_t cublasLtGetVersion(void) { return 130000; }
int cublasLtCreate(void **h) { return *h = &handle, 0; }
int cublasLtDestroy(void *h) { return h == &handle ? 0 : 7; }

int cublasLtMatmulDescCreate(product **p, int compute, int scale) {
	*p = calloc(1, sizeof **p);
	**p = (product){ .compute = compute, .scale = scale, .epilogue = 1 };
	return 0;
}
int cublasLtMatmulDescDestroy(product *p) { return free(p), 0; }
int cublasLtMatmulDescSetAttribute(product *p, int attribute, const void *v, size_t n) {
	switch (attribute) {
	case 3: return p->transA = *(int *)v, n == 4 ? 0 : 7;
	case 4: return p->transB = *(int *)v, n == 4 ? 0 : 7;
	case 7: return p->epilogue = *(int *)v, n == 4 ? 0 : 7;
	case 8: return p->bias = *(float **)v, n == 8 ? 0 : 7;
	case 26: return n == 4 ? 0 : 7;
	case 11: case 12: return n == 8 ? 0 : 7;
	case 22: return n == 4 ? 0 : 7;
	}
	return 7;
}

int cublasLtMatrixLayoutCreate(layout **l, int type, uint64_t rows, uint64_t cols, int64_t ld) {
	*l = calloc(1, sizeof **l);
	**l = (layout){ .type = type, .batch = 1, .rows = rows, .cols = cols, .ld = ld };
	return ld >= (int64_t)rows ? 0 : 7;
}
int cublasLtMatrixLayoutDestroy(layout *l) { return free(l), 0; }
int cublasLtMatrixLayoutSetAttribute(layout *l, int attribute, const void *v, size_t n) {
	switch (attribute) {
	case 5: return l->batch = *(int *)v, n == 4 ? 0 : 7;
	case 6: return l->stride = *(int64_t *)v, n == 8 ? 0 : 7;
	}
	return 7;
}

int cublasLtMatmulPreferenceCreate(preference **p) { return *p = calloc(1, sizeof **p), 0; }
int cublasLtMatmulPreferenceDestroy(preference *p) { return free(p), 0; }
int cublasLtMatmulPreferenceSetAttribute(preference *p, int attribute, const void *v, size_t n) {
	if (attribute == 1)
		return p->workspace = *(uint64_t *)v, n == 8 ? 0 : 7;
	if (attribute >= 5 && attribute <= 8)
		return p->align[attribute - 5] = *(unsigned *)v, n == 4 ? 0 : 7;
	return 7;
}

int cublasLtMatmulAlgoGetHeuristic(void *h, product *p, layout *a, layout *b, layout *c, layout *d, preference *f, int n,
	found *list, int *count) {
	*count = 0;
	if (p->epilogue != 1 && p->epilogue != 4)
		return 15;
	list[0] = (found){ .algorithm = { 42, [7] = f->align[3] }, .workspace = f->workspace / 2, .waves = 0.5f };
	*count = 1;
	return 0;
}

static float at(const float *x, const layout *l, int trans, int batch, int i, int j) {
	return x[batch * l->stride + (trans ? (int64_t)i * l->ld + j : (int64_t)j * l->ld + i)];
}

int cublasLtMatmul(void *h, product *p, const float *alpha, const float *a, layout *la, const float *b, layout *lb,
	const float *beta, const float *c, layout *lc, float *d, layout *ld, const uint64_t *algorithm, void *workspace,
	size_t bytes, void *stream) {
	int k = p->transA ? la->rows : la->cols;
	if (algorithm[0] != 42 || algorithm[7] != 16)
		return 13;
	for (int n = 0; n < ld->batch; n++)
		for (uint64_t j = 0; j < ld->cols; j++)
			for (uint64_t i = 0; i < ld->rows; i++) {
				float sum = 0;
				for (int q = 0; q < k; q++)
					sum += at(a, la, p->transA, n, i, q) * at(b, lb, p->transB, n, q, j);
				sum = *alpha * sum + (*beta == 0 ? 0 : *beta * at(c, lc, 0, n, i, j));
				d[n * ld->stride + j * ld->ld + i] = sum + (p->epilogue == 4 ? p->bias[i] : 0);
			}
	return 0;
}
