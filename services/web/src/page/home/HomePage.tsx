import { useCreators, useTitle } from '../hooks.js';
import { TopBar } from '../shell/TopBar.js';
import { accentStyle } from '../ui/Avatar.js';
import { CreatorCard } from './CreatorCard.js';

export function HomePage() {
  useTitle(undefined);
  const { data: creators, isPending, error, refetch } = useCreators();
  return (
    <main className="home" id="main">
      <TopBar />
      <header className="home-head">
        <h1>
          <span>Ask them anything.</span> <span>Every answer shows its receipts.</span>
        </h1>
        <p className="home-lede">
          Replies come from each creator’s own videos, podcasts and writing. A mark like{' '}
          <span className="mark mark-sample accented" style={creators?.[0] && accentStyle(creators[0].slug)}>
            ▶ 12:07
          </span>{' '}
          opens the very moment it was said.
        </p>
      </header>
      {isPending && <CardsOnTheirWay />}
      {error && (
        <div className="home-empty" role="alert">
          <p>The creators cannot be reached at the moment.</p>
          <button type="button" className="button" onClick={() => void refetch()}>
            Try again
          </button>
        </div>
      )}
      {creators?.length === 0 && (
        <div className="home-empty">
          <p>There is no creator here yet. As soon as one has been set up, it appears on this page.</p>
        </div>
      )}
      {creators && creators.length > 0 && (
        <ul className="cards">
          {creators.map((creator) => (
            <li key={creator.id}>
              <CreatorCard creator={creator} />
            </li>
          ))}
        </ul>
      )}
    </main>
  );
}

function CardsOnTheirWay() {
  return (
    <div className="cards" role="status" aria-label="Loading the creators">
      {[0, 1, 2].map((place) => (
        <div key={place} className="card card-waiting" />
      ))}
    </div>
  );
}
