// Takes a picture from the viewer, and draws one upright with its faces.
import { h, number, say, unique } from './dom.js';
import { failed } from './parts.js';

// bytesMax is the largest picture that the API takes; a larger one is made smaller here.
const bytesMax = 5 * 1024 * 1024;
const shrunkSide = 3000; // px
const kinds = 'image/jpeg,image/png,image/webp,image/tiff';

// pictureInput lets the viewer drop, choose, paste or photograph a picture, and hands it to take.
export function pictureInput({ label, take, signal }) {
  const place = h('div', {});
  const given = async (file) => {
    place.replaceChildren();
    try {
      await take(await fitting(file));
    } catch (error) {
      if (error.name !== 'AbortError') place.replaceChildren(failed(error));
    }
  };
  const id = unique('picture');
  const input = h('input', { type: 'file', accept: kinds, id, class: 'unseen', onchange: () => {
    if (input.files.length > 0) given(input.files[0]);
    input.value = '';
  } });
  const drop = h('div', { class: 'drop' }, input,
    h('label', { for: id, class: 'button main' }, label),
    h('button', { type: 'button', onclick: () => photograph(given, place, signal) }, 'Take a photograph'),
    h('p', { class: 'hint' }, 'or drop a picture here, or paste one. JPEG, PNG, WebP or TIFF.'), place);
  acceptDrops(drop, (files) => given(files[0]), signal);
  document.addEventListener('paste', (event) => {
    const file = [...event.clipboardData.files].find((each) => each.type.startsWith('image/'));
    if (!file) return;
    event.preventDefault();
    given(file);
  }, { signal });
  return drop;
}

// acceptDrops takes files that are dropped anywhere on the page.
export function acceptDrops(node, take, signal) {
  const withFiles = (event) => event.dataTransfer?.types.includes('Files');
  document.addEventListener('dragover', (event) => {
    if (!withFiles(event)) return;
    event.preventDefault();
    node.classList.add('over');
  }, { signal });
  document.addEventListener('dragleave', (event) => { if (!event.relatedTarget) node.classList.remove('over'); }, { signal });
  document.addEventListener('drop', (event) => {
    if (!withFiles(event)) return;
    event.preventDefault();
    node.classList.remove('over');
    if (event.dataTransfer.files.length > 0) take([...event.dataTransfer.files]);
  }, { signal });
}

// fitting makes a picture that is too large for the API smaller.
export async function fitting(file) {
  if (file.size <= bytesMax) return file;
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(`The picture has ${number(file.size / 1024 / 1024, 1)} MB; at most 5 MB are accepted, and this browser cannot make this kind smaller.`);
  });
  const scale = Math.min(1, shrunkSide / Math.max(bitmap.width, bitmap.height));
  const canvas = h('canvas', { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) });
  canvas.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await asJPEG(canvas);
  say('The picture was larger than 5 MB and was made smaller before it was sent.');
  return new File([blob], file.name, { type: 'image/jpeg' });
}

const asJPEG = (canvas) => new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.92));

// photograph shows the camera in a dialog.
async function photograph(given, place, signal) {
  if (!navigator.mediaDevices) {
    place.replaceChildren(failed(new Error('A browser lets only pages behind https, or on this machine, use its camera. Choose a picture instead.')));
    return;
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'user', width: { ideal: 1280 } } });
  } catch {
    place.replaceChildren(failed(new Error('The camera could not be used: there is none, or it was not allowed.')));
    return;
  }
  const video = h('video', { autoplay: true, playsinline: true, 'aria-label': 'What the camera sees' });
  video.muted = true;
  video.srcObject = stream;
  const title = unique('camera');
  const dialog = h('dialog', { class: 'camera', 'aria-labelledby': title, onclose: () => {
    for (const track of stream.getTracks()) track.stop();
    dialog.remove();
  } }, h('h2', { id: title }, 'Camera'), video, h('div', { class: 'actions' },
    h('button', { type: 'button', class: 'main', onclick: async () => {
      const canvas = h('canvas', { width: video.videoWidth, height: video.videoHeight });
      canvas.getContext('2d').drawImage(video, 0, 0);
      const blob = await asJPEG(canvas);
      dialog.close();
      if (blob) given(new File([blob], 'photograph.jpg', { type: 'image/jpeg' }));
    } }, 'Take the photograph'), h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel')));
  signal.addEventListener('abort', () => dialog.close(), { once: true });
  document.body.append(dialog);
  dialog.showModal();
}

// shownSide bounds the pixels that are kept of a picture to show it.
const shownSide = 1600;

// An Upright is a picture as it is seen after its EXIF orientation and a clockwise turn; boxes of
// faces are in its pixels.
export class Upright {
  // read returns null for a picture that this browser cannot show.
  static async read(blob, angle) {
    try {
      return new Upright(await createImageBitmap(blob), angle);
    } catch {
      return null;
    }
  }

  constructor(bitmap, angle) {
    const aside = angle % 180 !== 0;
    this.width = aside ? bitmap.height : bitmap.width;
    this.height = aside ? bitmap.width : bitmap.height;
    this.scale = Math.min(1, shownSide / Math.max(this.width, this.height));
    this.canvas = h('canvas', { width: Math.round(this.width * this.scale), height: Math.round(this.height * this.scale) });
    const context = this.canvas.getContext('2d');
    context.translate(this.canvas.width / 2, this.canvas.height / 2);
    context.rotate((angle * Math.PI) / 180);
    context.scale(this.scale, this.scale);
    context.drawImage(bitmap, -bitmap.width / 2, -bitmap.height / 2);
    bitmap.close();
  }

  // cut is the square around a face, as a canvas.
  cut([x1, y1, x2, y2], words, large) {
    const side = Math.max(x2 - x1, y2 - y1) * 1.7;
    const [x, y] = [(x1 + x2 - side) / 2, (y1 + y2 - side) / 2];
    const canvas = h('canvas', { class: large ? 'face large' : 'face', width: 240, height: 240, role: 'img', 'aria-label': words });
    canvas.getContext('2d').drawImage(this.canvas, x * this.scale, y * this.scale, side * this.scale, side * this.scale, 0, 0, 240, 240);
    return canvas;
  }

  // figure shows the whole picture with a numbered box for each face, the first one searched.
  figure(entities) {
    const unit = Math.max(this.width, this.height) / 100;
    const boxes = entities.map(({ bbox: [x1, y1, x2, y2] }, index) => h('g', { class: index === 0 ? 'searched' : 'other' },
      h('rect', { x: x1, y: y1, width: x2 - x1, height: y2 - y1, rx: unit }),
      h('rect', { class: 'plate', x: x1, y: y1, width: 6 * unit, height: 6 * unit, rx: unit }),
      h('text', { x: x1 + 3 * unit, y: y1 + 4.5 * unit, 'font-size': 4.4 * unit, 'text-anchor': 'middle' }, String(index + 1))));
    this.canvas.setAttribute('role', 'img');
    this.canvas.setAttribute('aria-label', entities.length === 0 ? 'The picture, without a face' : 'The picture with a box around each face');
    return h('div', { class: 'shot', '--ratio': `${this.width} / ${this.height}` }, this.canvas,
      h('svg', { viewBox: `0 0 ${this.width} ${this.height}`, 'aria-hidden': 'true' }, boxes));
  }
}
