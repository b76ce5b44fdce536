import { PanelLeftClose } from 'lucide-react';
import { use } from 'react';
import { Link, useRoute } from 'wouter';
import { AccountArea } from '../account/AccountArea.js';
import { useCreators } from '../hooks.js';
import { Avatar } from '../ui/Avatar.js';
import { HistoryList } from './HistoryList.js';
import { ShellContext } from './shellContext.js';
import { Wordmark } from './Wordmark.js';

export function Sidebar() {
  const { collapse } = use(ShellContext);
  const { data: creators } = useCreators();
  const [, place] = useRoute('/c/:creator/:id?');
  return (
    <aside className="column" aria-label="Sidestage">
      <div className="column-head">
        <Link href="/" className="wordmark-link" aria-label="Sidestage, all creators">
          <Wordmark />
        </Link>
        <button type="button" className="icon-button" aria-label="Close this column" onClick={collapse}>
          <PanelLeftClose aria-hidden="true" />
        </button>
      </div>
      <nav className="column-scroll" aria-label="Creators and conversations">
        {creators && creators.length > 0 && (
          <section>
            <h2 className="column-title">Creators</h2>
            <ul>
              {creators.map((creator) => (
                <li key={creator.id}>
                  <Link
                    className="column-row"
                    href={`/c/${creator.slug}`}
                    aria-current={place?.creator === creator.slug && !place.id ? 'page' : undefined}
                  >
                    <Avatar creator={creator} size="small" />
                    <span className="row-words">{creator.name}</span>
                  </Link>
                </li>
              ))}
            </ul>
          </section>
        )}
        <HistoryList creators={creators ?? []} openId={place?.id ?? null} />
      </nav>
      <AccountArea />
    </aside>
  );
}
