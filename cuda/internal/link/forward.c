//go:build gpu

// A forwarder for each function of the driver that package cu calls, so that one program starts with and without CUDA.

#define _GNU_SOURCE
#include "link.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What a forwarder returns without a driver, and without the function in it. The numbers are CUresult's.
enum { ceto_no_device = 100, ceto_not_found = 500 };

enum index {
#define X(name) index_##name,
#include "symbols.h"
#undef X
	symbols
};

static const char *const names[] = {
#define X(name) #name,
#include "symbols.h"
#undef X
};

// The widest function of the driver has eleven parameters. A forwarder passes eleven words on, whatever they hold. No
// function that takes a floating-point number by value is used: those of texture references alone do.
typedef uintptr_t word;
typedef int (*entry)(word, word, word, word, word, word, word, word, word, word, word);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(entry) slots[symbols];
static _Atomic int initialised;
static int result;
static void *library;
static char path[1024];
static char tried[8192];

// What stands in for the driver, where there is something.
static int stand_ins;
static char **stand_in_name;
static void **stand_in_address;

static int missing_library(word a, word b, word c, word d, word e, word f, word g, word h, word i, word j, word k) {
	return ceto_no_device;
}

static int missing_function(word a, word b, word c, word d, word e, word f, word g, word h, word i, word j, word k) {
	return ceto_not_found;
}

// attempt opens a file, and notes what came of it.
static void attempt(const char *file) {
	size_t n = strlen(tried);
	if (library != NULL || file == NULL || file[0] == 0)
		return;
	library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	snprintf(path, sizeof path, "%s", library == NULL ? "" : file);
	snprintf(tried + n, sizeof tried - n, "%s: %s\n", file, library == NULL ? dlerror() : "found");
}

static void *symbol(const char *name) {
	for (int i = 0; i < stand_ins; i++)
		if (strcmp(stand_in_name[i], name) == 0)
			return stand_in_address[i];
	return library == NULL || stand_ins > 0 ? NULL : dlsym(library, name);
}

// initialise opens the driver. The lock is held.
static void initialise(void) {
	int (*init)(unsigned);
	if (stand_ins == 0) {
		attempt(getenv("CETO_LIBCUDA"));
		attempt("libcuda.so.1");
		attempt("/usr/local/nvidia/lib64/libcuda.so.1");
		attempt("/usr/lib/x86_64-linux-gnu/libcuda.so.1");
		attempt("/usr/lib/wsl/lib/libcuda.so.1");
	}
	*(void **)&init = symbol("cuInit");
	if (init != NULL)
		result = init(0);
	else
		result = library == NULL && stand_ins == 0 ? -1 : -2;
}

int ceto_link_init(void) {
	if (!atomic_load(&initialised)) {
		pthread_mutex_lock(&lock);
		if (!atomic_load(&initialised)) {
			initialise();
			atomic_store(&initialised, 1);
		}
		pthread_mutex_unlock(&lock);
	}
	return result;
}

void *ceto_link_symbol(const char *name) {
	ceto_link_init();
	return symbol(name);
}

static void forget(void) {
	for (int i = 0; i < stand_ins; i++)
		free(stand_in_name[i]);
	free(stand_in_name);
	free(stand_in_address);
	stand_ins = 0;
	stand_in_name = NULL;
	stand_in_address = NULL;
	for (int i = 0; i < symbols; i++)
		atomic_store(&slots[i], NULL);
	atomic_store(&initialised, 0);
	library = NULL; // stays loaded: a driver is not made to be closed
	path[0] = 0;
	tried[0] = 0;
}

int ceto_link_override(int n, char **name, void **address) {
	int ok = 1;
	pthread_mutex_lock(&lock);
	forget();
	if (n > 0) {
		stand_in_name = calloc(n, sizeof *stand_in_name);
		stand_in_address = calloc(n, sizeof *stand_in_address);
		ok = stand_in_name != NULL && stand_in_address != NULL;
	}
	for (int i = 0; ok && i < n; i++) {
		stand_in_name[i] = strdup(name[i]);
		stand_in_address[i] = address[i];
		if ((ok = stand_in_name[i] != NULL))
			stand_ins++;
	}
	pthread_mutex_unlock(&lock);
	return ok;
}

const char *ceto_link_library(void) {
	ceto_link_init();
	return path;
}

const char *ceto_link_tried(void) {
	ceto_link_init();
	return tried;
}

// resolve finds the function behind a slot. Headers of 12.8 and newer ask for cuEventElapsedTime_v2. Drivers before that
// have it under its old name alone.
static entry resolve(enum index i) {
	entry f;
	int code = ceto_link_init();
	*(void **)&f = symbol(names[i]);
	if (f == NULL && i == index_cuEventElapsedTime_v2)
		*(void **)&f = symbol("cuEventElapsedTime");
	if (f == NULL)
		f = code == -1 ? missing_library : missing_function;
	atomic_store(&slots[i], f);
	return f;
}

#define X(name)                                                                                                   \
	int name(word a, word b, word c, word d, word e, word f, word g, word h, word i, word j, word k) {            \
		entry to = atomic_load_explicit(&slots[index_##name], memory_order_acquire);                              \
		if (to == NULL)                                                                                           \
			to = resolve(index_##name);                                                                           \
		return to(a, b, c, d, e, f, g, h, i, j, k);                                                               \
	}
#include "symbols.h"
#undef X

// cuInit is called by package cu before main, which ends the process where it fails. So it does nothing here: the driver
// is opened by whoever needs it first, and a program that does without a GPU does not pay for one.
int cuInit(unsigned flags) { return 0; }

int ceto_link_version(int *version) {
	int (*ask)(int *);
	*(void **)&ask = ceto_link_symbol("cuDriverGetVersion");
	return ask == NULL ? ceto_not_found : ask(version);
}
