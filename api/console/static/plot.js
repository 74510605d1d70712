// A bar chart: shapes are drawn to fill the width, words stay words of the page.
import { h } from './dom.js';

// chart draws bars of heights from 0 to 1 and lines at places from 0 to 1; labels are words at
// places below.
export function chart({ words, bars, lines = [], labels, caption }) {
  const step = 100 / bars.length;
  return h('figure', { class: 'chart' },
    h('div', { class: 'plot', role: 'img', 'aria-label': words }, h('svg', { viewBox: '0 0 100 100', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      bars.map(({ height, look, title }, index) => h('rect', { class: look, x: index * step + step * 0.08, width: step * 0.84, y: 100 - height * 100, height: height * 100 }, title ? h('title', {}, title) : null)),
      h('line', { class: 'base', x1: 0, x2: 100, y1: 100, y2: 100 }),
      lines.map(({ at, look }) => h('line', { class: look, x1: at * 100, x2: at * 100, y1: 0, y2: 100 })))),
    h('div', { class: 'axis', 'aria-hidden': 'true' }, labels.map(({ at, words: text }) => h('span', { class: at === 0 ? 'first' : at === 1 ? 'last' : '', '--at': `${at * 100}%` }, text))),
    h('figcaption', { class: 'soft' }, caption));
}
