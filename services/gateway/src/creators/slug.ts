/** A slug from a name: `Dr. Zoë Ångström` gives `dr-zoe-angstrom`. A name of no Latin letters or digits gives `creator`. */
export function slugOf(name: string): string {
  const slug = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 58)
    .replace(/^-+|-+$/g, '');
  return slug === '' ? 'creator' : slug;
}

/** The slugs to try in turn: a name may be used twice. */
export function* slugsOf(name: string): Generator<string> {
  const slug = slugOf(name);
  yield slug;
  for (let number = 2; number <= 9; number++) yield `${slug}-${number}`;
  for (;;) yield `${slug}-${Math.random().toString(36).slice(2, 7)}`;
}
