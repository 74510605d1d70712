"""The plain pipeline over the same dlib models: decode at full size, the HOG detector with one
upsampling, landmarks, template. Prints one JSON object: per file the milliseconds of each step.

Usage: peer_dlib.py MODELS RUNS FILE...   (needs dlib or dlib-bin, numpy, pillow)
"""

import json
import os
import sys
import time

import dlib
import numpy
from PIL import Image


def main():
    models, runs, files = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    detector = dlib.get_frontal_face_detector()
    landmarks = dlib.shape_predictor(os.path.join(models, "shape_predictor_5_face_landmarks.dat"))
    embedder = dlib.face_recognition_model_v1(
        os.path.join(models, "dlib_face_recognition_resnet_model_v1.dat")
    )
    result = {}
    for file in files:
        steps = {"decode": [], "detect": [], "template": []}
        faces = 0
        for run in range(runs + 1):
            times = [time.perf_counter()]
            picture = numpy.array(Image.open(file).convert("RGB"))
            times.append(time.perf_counter())
            boxes = detector(picture, 1)
            times.append(time.perf_counter())
            faces = len(boxes)
            if boxes:
                box = max(boxes, key=lambda each: each.area())
                embedder.compute_face_descriptor(picture, landmarks(picture, box))
            times.append(time.perf_counter())
            if run == 0:
                continue  # warms up
            for step, start, end in zip(steps, times, times[1:]):
                steps[step].append(1000 * (end - start))
        result[file] = {"faces": faces, "steps": steps}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
