import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** Where a citation's video may be embedded from. */
const videoHosts = ['https://www.youtube-nocookie.com', 'https://www.youtube.com'];

/**
 * Security headers of every answer. The page talks to its own origin and the gateway, embeds YouTube, and runs no script but its own.
 * Styles may be set inline: the dialogs' scroll lock writes a style element.
 * @param gatewayUrl the gateway's public address
 */
export function securityHeaders(gatewayUrl: string): RequestHandler {
  const gateway = new URL(gatewayUrl).origin;
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        baseUri: ["'none'"],
        objectSrc: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'self'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        fontSrc: ["'self'"],
        imgSrc: ["'self'", 'data:', 'https:'],
        mediaSrc: ["'self'", 'https:'],
        frameSrc: videoHosts,
        connectSrc: ["'self'", gateway, gateway.replace(/^http/, 'ws')],
      },
    },
    // YouTube refuses to play where it is not told which site embeds it.
    referrerPolicy: { policy: 'strict-origin-when-cross-origin' },
    crossOriginEmbedderPolicy: false,
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    // TLS ends in front of this service, and that is who may promise it.
    strictTransportSecurity: false,
  });
}
