package onnx

/*
#if defined(__x86_64__)
#include <xmmintrin.h>
// Bit 15 of MXCSR flushes denormal results to zero, bit 6 reads denormal operands as zero.
static void facesearch_denormals_are_zero(void) { _mm_setcsr(_mm_getcsr() | 0x8040); }
#elif defined(__aarch64__)
// Bit 24 of FPCR does both.
static void facesearch_denormals_are_zero(void) {
	unsigned long fpcr;
	__asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
	__asm__ volatile("msr fpcr, %0" : : "r"(fpcr | (1ul << 24)));
}
#else
static void facesearch_denormals_are_zero(void) {}
#endif
*/
import "C"

// DenormalsAreZero sets the current thread's floating point unit; the goroutine has to be
// locked to it.
func DenormalsAreZero() { C.facesearch_denormals_are_zero() }
