import type { CreatorView } from '@sidestage/contracts';
import { type CSSProperties, useEffect } from 'react';
import { accentOf, initialsOf } from '../model/accent.js';

/** Gives the whole page, with what floats over it, a creator's accent while it is about that creator. */
export function usePageAccent(slug: string | undefined): void {
  useEffect(() => {
    if (slug === undefined) return;
    const root = document.documentElement.style;
    const { light, dark } = accentOf(slug);
    root.setProperty('--accent', `light-dark(${light}, ${dark})`);
    return () => void root.removeProperty('--accent');
  }, [slug]);
}

/** Sets the accent of everything inside an element with the class `accented`. */
export function accentStyle(slug: string): CSSProperties {
  const { light, dark } = accentOf(slug);
  return { '--accent': `light-dark(${light}, ${dark})` } as CSSProperties;
}

interface AvatarProps {
  creator: Pick<CreatorView, 'name' | 'slug' | 'avatar_url'>;
  size?: 'small' | 'medium' | 'large';
}

/** A creator's picture, or the initials on the creator's colour. Decoration: the name always stands beside it. */
export function Avatar({ creator, size = 'medium' }: AvatarProps) {
  return (
    <span className={`avatar avatar-${size} accented`} style={accentStyle(creator.slug)} aria-hidden="true">
      {creator.avatar_url ? <img src={creator.avatar_url} alt="" loading="lazy" /> : initialsOf(creator.name)}
    </span>
  );
}
