// dlib's own alignment of a face, for what go-face does not make: the chips that the age and
// gender networks were trained on, and the one that quality is measured on.

#include <dlib/array2d.h>
#include <dlib/image_processing/full_object_detection.h>
#include <dlib/image_transforms.h>
#include <vector>
#include "chip.h"

int facesearch_chip(const uint8_t* rgba, int width, int height, int stride, const int32_t landmarks[10],
	int side, double padding, uint8_t* chip) {
	try {
		dlib::array2d<dlib::rgb_pixel> picture(height, width);
		for (int y = 0; y < height; ++y) {
			const uint8_t* from = rgba + static_cast<size_t>(y) * stride;
			for (int x = 0; x < width; ++x)
				picture[y][x] = dlib::rgb_pixel(from[4 * x], from[4 * x + 1], from[4 * x + 2]);
		}
		std::vector<dlib::point> points;
		for (int i = 0; i < 5; ++i)
			points.push_back(dlib::point(landmarks[2 * i], landmarks[2 * i + 1]));
		const dlib::full_object_detection face(dlib::rectangle(), points);
		dlib::array2d<dlib::rgb_pixel> cut;
		dlib::extract_image_chip(picture, dlib::get_face_chip_details(face, side, padding), cut);
		for (int y = 0; y < side; ++y) {
			for (int x = 0; x < side; ++x) {
				uint8_t* to = chip + 4 * (static_cast<size_t>(y) * side + x);
				to[0] = cut[y][x].red;
				to[1] = cut[y][x].green;
				to[2] = cut[y][x].blue;
				to[3] = 255;
			}
		}
		return 0;
	} catch (const std::exception&) {
		return -1;
	}
}
