/** A colour a creator is known by, one for each theme. Hex. */
export interface Accent {
  light: string;
  dark: string;
}

/** --ground of styles/tokens.css. */
const grounds = { light: '#fbfaf8', dark: '#171614' };
/** --accent-tint of styles/tokens.css: the strongest mix of accent and ground that the accent is read on. */
const tint = 0.2;
const hues = [255, 20, 160, 50, 300, 190, 340, 80, 225, 130];

/**
 * The accent of a slug. Hues come from a short list that is told apart easily; lightness moves until the colour reads on its own
 * tint (4.5 to 1 and a margin, WCAG 2.2 AA).
 */
export function accentOf(slug: string): Accent {
  const hue = hues[hash(slug) % hues.length] ?? 255;
  return {
    light: readable(hue, 0.115, 0.52, -0.01, grounds.light),
    dark: readable(hue, 0.1, 0.74, 0.01, grounds.dark),
  };
}

function readable(hue: number, chroma: number, from: number, step: number, ground: string): string {
  let lightness = from;
  let colour = oklchToHex(lightness, chroma, hue);
  while (contrast(colour, tintOf(colour, ground)) < 4.7 && lightness > 0 && lightness < 1) {
    lightness += step;
    colour = oklchToHex(lightness, chroma, hue);
  }
  return colour;
}

/** The accent mixed into the ground, as color-mix(in srgb) does. */
export function tintOf(accent: string, ground: string): string {
  const mixed = [1, 3, 5].map((at) => {
    const channel = (hex: string) => Number.parseInt(hex.slice(at, at + 2), 16);
    return Math.round(channel(accent) * tint + channel(ground) * (1 - tint));
  });
  return `#${mixed.map((value) => value.toString(16).padStart(2, '0')).join('')}`;
}

function hash(text: string): number {
  let value = 2166136261;
  for (const char of text) value = Math.imul(value ^ (char.codePointAt(0) ?? 0), 16777619) >>> 0;
  return (value ^ (value >>> 15)) >>> 0;
}

/** WCAG contrast of two hex colours, 1 to 21. */
export function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(hex: string): number {
  const channel = (at: number) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

function oklchToHex(lightness: number, chroma: number, hue: number): string {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  const encode = (value: number) => {
    const clipped = Math.min(1, Math.max(0, value));
    const gamma = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055;
    return Math.round(gamma * 255)
      .toString(16)
      .padStart(2, '0');
  };
  return `#${linear.map(encode).join('')}`;
}

/** One or two letters that stand for a name without a picture. */
export function initialsOf(name: string): string {
  const words = name.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word) && !/^(the|and|of|with|a)$/i.test(word));
  const picked = words.length > 1 ? [words[0], words.at(-1)] : [words[0] ?? name];
  return picked
    .map((word) => [...(word ?? '')].find((char) => /[\p{L}\p{N}]/u.test(char)) ?? '')
    .join('')
    .toUpperCase();
}
