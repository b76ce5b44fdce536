import type { CreatorView } from '@sidestage/contracts';
import { Link } from 'wouter';
import { Questions } from '../chat/Questions.js';
import { Avatar, accentStyle } from '../ui/Avatar.js';

export function CreatorCard({ creator }: { creator: CreatorView }) {
  return (
    <article className="card accented" style={accentStyle(creator.slug)}>
      <Link className="card-head" href={`/c/${creator.slug}`}>
        <Avatar creator={creator} size="large" />
        <span className="card-words">
          <h2>{creator.name}</h2>
          <span className="card-line">{creator.description}</span>
        </span>
      </Link>
      <Questions creator={creator} />
    </article>
  );
}
