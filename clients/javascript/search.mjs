// Searches one picture on a facesearch server; needs Node 18 or later and nothing else.
//
//   FACESEARCH_API_KEY=YOUR_API_KEY node search.mjs photo.jpg
//
// FACESEARCH_SERVER names another server than the one on this machine. searchFace works in a
// browser as well, where a file comes from <input type="file">.

import { readFile } from "node:fs/promises";
import process from "node:process";
import { pathToFileURL } from "node:url";

const triesMax = 6;
const pauseMaxSeconds = 30;

/**
 * Searches a picture, and sends it again when the server is busy.
 * @param {string} server address, such as http://127.0.0.1:8080
 * @param {string} key API key
 * @param {Blob} picture
 * @param {{rotate?: boolean, vendorData?: string}} [options]
 * @returns {Promise<import("./face-search").FaceSearchResponse>}
 */
export async function searchFace(server, key, picture, options = {}) {
  const form = new FormData();
  form.append("user_image", picture, "picture");
  if (options.rotate) form.append("rotate_image", "true");
  if (options.vendorData) form.append("vendor_data", options.vendorData);
  for (let tries = 1; ; tries++) {
    const response = await fetch(server.replace(/\/+$/, "") + "/v3/face-search/", {
      method: "POST",
      headers: { "x-api-key": key },
      body: form,
    });
    const answer = await response.json().catch(() => ({}));
    if (response.ok && answer.face_search) return answer;
    const passing = response.status === 429 || response.status === 503;
    if (!passing || tries === triesMax) throw new Error(answer.detail ?? `the server answered ${response.status} ${response.statusText}`);
    const seconds = Number(response.headers.get("Retry-After")) || 1;
    await new Promise((resume) => setTimeout(resume, 1000 * Math.min(seconds, pauseMaxSeconds)));
  }
}

async function main([file, ...rest]) {
  if (!file || file.startsWith("-") || rest.length > 0) {
    console.error("usage: node search.mjs FILE");
    return 2;
  }
  const server = process.env.FACESEARCH_SERVER || "http://127.0.0.1:8080";
  const key = process.env.FACESEARCH_API_KEY || process.env.DIDIT_API_KEY;
  try {
    if (!key) throw new Error("no API key: set FACESEARCH_API_KEY or DIDIT_API_KEY.");
    const answer = await searchFace(server, key, new Blob([await readFile(file)]));
    console.log(JSON.stringify(answer, null, 2));
    return 0;
  } catch (error) {
    console.error(`search.mjs: ${error.cause?.message ?? error.message}`);
    return 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  process.exitCode = await main(process.argv.slice(2));
}
