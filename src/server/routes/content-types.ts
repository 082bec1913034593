/** Content types of site files, by file name only; unknown names are downloads. */
import { posix } from 'node:path';

const TEXT = '; charset=utf-8';
const TYPES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    html: `text/html${TEXT}`,
    htm: `text/html${TEXT}`,
    css: `text/css${TEXT}`,
    js: `text/javascript${TEXT}`,
    mjs: `text/javascript${TEXT}`,
    json: `application/json${TEXT}`,
    map: `application/json${TEXT}`,
    webmanifest: `application/manifest+json${TEXT}`,
    xml: `application/xml${TEXT}`,
    rss: `application/rss+xml${TEXT}`,
    atom: `application/atom+xml${TEXT}`,
    txt: `text/plain${TEXT}`,
    md: `text/plain${TEXT}`,
    log: `text/plain${TEXT}`,
    csv: `text/csv${TEXT}`,
    svg: `image/svg+xml${TEXT}`,
    png: 'image/png',
    jpg: 'image/jpeg',
    jpeg: 'image/jpeg',
    gif: 'image/gif',
    webp: 'image/webp',
    avif: 'image/avif',
    ico: 'image/x-icon',
    woff: 'font/woff',
    woff2: 'font/woff2',
    ttf: 'font/ttf',
    otf: 'font/otf',
    mp4: 'video/mp4',
    webm: 'video/webm',
    mp3: 'audio/mpeg',
    ogg: 'audio/ogg',
    wav: 'audio/wav',
    pdf: 'application/pdf',
    wasm: 'application/wasm',
    zip: 'application/zip',
    gz: 'application/gzip',
  }),
);

export const contentType = (path: string): string =>
  TYPES.get(posix.extname(path).slice(1).toLowerCase()) ?? 'application/octet-stream';
