#ifndef FACESEARCH_CHIP_H
#define FACESEARCH_CHIP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Cuts a square chip of side x side pixels, aligned on five landmarks (x and y in turn, in
   dlib's order), out of an opaque RGBA picture. chip takes side * side * 4 bytes, RGBA.
   Returns 0, or -1 when memory has run out. */
int facesearch_chip(const uint8_t* rgba, int width, int height, int stride, const int32_t landmarks[10],
	int side, double padding, uint8_t* chip);

#ifdef __cplusplus
}
#endif

#endif
