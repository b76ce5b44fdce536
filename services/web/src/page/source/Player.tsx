import { youtubeId } from '../model/citations.js';

interface PlayerProps {
  address: string;
  startSeconds: number | null;
  title: string;
}

/** The recording at its second where it can be embedded: YouTube, or a media file. Nothing otherwise. */
export function Player({ address, startSeconds, title }: PlayerProps) {
  const second = Math.floor(startSeconds ?? 0);
  const id = youtubeId(address);
  if (id) {
    const query = new URLSearchParams({ start: String(second), rel: '0', playsinline: '1' });
    return (
      <div className="player">
        <iframe
          key={`${id} ${second}`}
          src={`https://www.youtube-nocookie.com/embed/${id}?${query}`}
          title={`${title}, video`}
          allow="encrypted-media; picture-in-picture; fullscreen"
          referrerPolicy="strict-origin-when-cross-origin"
          loading="lazy"
        />
      </div>
    );
  }
  const kind = mediaKind(address);
  const file = `${address.replace(/#.*$/, '')}#t=${second}`;
  // biome-ignore lint/a11y/useMediaCaption: the transcript stands right below
  if (kind === 'video') return <video className="player" key={file} src={file} controls preload="metadata" />;
  // biome-ignore lint/a11y/useMediaCaption: the transcript stands right below
  if (kind === 'audio') return <audio className="player-audio" key={file} src={file} controls preload="metadata" />;
  return null;
}

function mediaKind(address: string): 'video' | 'audio' | null {
  const path = URL.canParse(address) ? new URL(address).pathname : '';
  if (/\.(mp4|webm|m4v|mov)$/i.test(path)) return 'video';
  return /\.(mp3|m4a|ogg|opus|wav|aac)$/i.test(path) ? 'audio' : null;
}
