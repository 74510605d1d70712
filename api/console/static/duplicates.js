import { h } from './dom.js';
export function show(page) { page.append(h('p', {}, '')); }
