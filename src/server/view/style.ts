/** Style of the pages, and the policy that allows this style and nothing else. */
import { createHash } from 'node:crypto';

/** As terminals number them, on a dark ground; colour 0 is lighter than black, to be seen on it. */
const COLORS = [
  '#6b7480',
  '#f4786f',
  '#5fc77a',
  '#dfb04f',
  '#6ca9f7',
  '#c58bf2',
  '#4cc4c9',
  '#cfd6de',
  '#8b949e',
  '#ff9a91',
  '#7ee096',
  '#f2cc6b',
  '#8fc2ff',
  '#d9adff',
  '#6fdde2',
  '#ffffff',
];

/** Grounds are darker than texts: what stands on one has a light colour. */
const GROUNDS = ['#2b333c', '#a83a32', '#2b7a43', '#8a6414', '#2f63ad', '#7b45ab', '#1f7a80', '#6b7480'];

const colorRules = [
  ...GROUNDS.flatMap((color, index) => [`.b${index},.b${index + 8}{background:${color};color:#fff}`]),
  ...COLORS.map((color, index) => `.f${index}{color:${color}}`),
].join('');

const RULES = `
:root{color-scheme:light dark;--text:#1c2128;--soft:#59636e;--line:#d8dee4;--ground:#fff;--panel:#f5f7f9;
--link:#0b5cad;--good:#16703a;--bad:#b3261e;--warn:#8a5a00;--busy:#0b5cad;--off:#7a3e9d}
@media(prefers-color-scheme:dark){:root{--text:#e3e8ee;--soft:#9aa5b1;--line:#333c46;--ground:#12171d;--panel:#1a2028;
--link:#7ab7ff;--good:#5fc77a;--bad:#ff8a80;--warn:#e5b454;--busy:#7ab7ff;--off:#c99bf0}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
header{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:center;padding:.6rem 1rem;border-bottom:1px solid var(--line);background:var(--panel)}
header nav{flex:1;min-width:0;overflow-wrap:anywhere}header nav a:first-child{font-weight:700}
header form{display:flex;gap:.6rem;align-items:center;margin:0;color:var(--soft);font-size:.875rem}
main{max-width:64rem;margin:0 auto;padding:1rem}
h1{font-size:1.35rem;line-height:1.3;margin:.25rem 0 .5rem;overflow-wrap:anywhere}
h2{font-size:1rem;margin:1.5rem 0 .4rem;color:var(--soft);font-weight:600;overflow-wrap:anywhere}
p{margin:.4rem 0;overflow-wrap:anywhere}
.facts{color:var(--soft);font-size:.9rem}.facts>*{margin-right:.9rem}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
time{white-space:nowrap}
.state{font-weight:600;white-space:nowrap}.state::before{content:"";display:inline-block;width:.62em;height:.62em;border-radius:50%;background:currentColor;margin-right:.4em}
.green{color:var(--good)}.red{color:var(--bad)}.yellow{color:var(--warn)}.blue{color:var(--busy)}.magenta{color:var(--off)}.dimmed{color:var(--soft)}
.list{list-style:none;margin:0;padding:0;border:1px solid var(--line);border-radius:.5rem;overflow:hidden}
.list>li{padding:.55rem .8rem;display:grid;grid-template-columns:minmax(0,1fr) auto;gap:.1rem .8rem}
.list>li+li{border-top:1px solid var(--line)}.list>li:target{background:var(--panel)}
.list .name{font-weight:600;min-width:0;overflow-wrap:anywhere}.list .more{grid-column:1/-1;color:var(--soft);font-size:.9rem;overflow-wrap:anywhere}
.list .more>*{margin-right:.9rem}.list .more:empty{display:none}
.note{border-left:.25rem solid var(--warn);background:var(--panel);padding:.5rem .8rem;margin:.6rem 0;white-space:pre-wrap;overflow-wrap:anywhere}
.note.bad{border-color:var(--bad)}
pre.log{background:#10151b;color:#d5dbe2;border:1px solid var(--line);border-radius:.5rem;padding:.8rem;margin:.4rem 0;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;tab-size:8;
font:.8rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre.log .own{color:#8fa3b8}.bold{font-weight:700}.dim{opacity:.7}.italic{font-style:italic}.underline{text-decoration:underline}
.entry{max-width:26rem}.entry label{display:block;font-weight:600;margin:1rem 0 .3rem}
.entry input{width:100%;font:inherit;padding:.55rem .6rem;border:1px solid var(--line);border-radius:.4rem;background:var(--ground);color:var(--text)}
button{font:inherit;padding:.4rem .9rem;border:1px solid var(--line);border-radius:.4rem;background:var(--panel);color:var(--text);cursor:pointer}
.entry button{margin-top:.8rem;background:var(--link);color:var(--ground);border-color:transparent;font-weight:600}
footer{max-width:64rem;margin:0 auto;padding:1rem;color:var(--soft);font-size:.8rem}
@media(max-width:30rem){main{padding:.7rem}.list>li{padding:.5rem .6rem}pre.log{margin:.4rem -.7rem;border-radius:0;font-size:.72rem}}
`;

export const STYLE = RULES.replaceAll('\n', '') + colorRules;

const hash = createHash('sha256').update(STYLE).digest('base64');

/** Nothing may be loaded or run; forms go to this server, and the style is the one above. */
export const PAGE_HEADERS = {
  'content-security-policy': `default-src 'none'; style-src 'sha256-${hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  // With `no-referrer` a browser sends the login form without its origin.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
} as const;
