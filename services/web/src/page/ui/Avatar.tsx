import type { CreatorView } from '@sidestage/contracts';
import type { CSSProperties } from 'react';
import { accentOf, initialsOf } from '../model/accent.js';

/** Sets the one accent of everything inside. */
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
    <span className={`avatar avatar-${size}`} style={accentStyle(creator.slug)} aria-hidden="true">
      {creator.avatar_url ? <img src={creator.avatar_url} alt="" loading="lazy" /> : initialsOf(creator.name)}
    </span>
  );
}
