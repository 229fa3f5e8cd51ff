// An identity provider that others wrote (oidc-provider), with a few people and agents in it.
//
// Says `ready URL` when it listens. What a test changes while it runs goes to /_control: a person's groups, their
// leaving, fresh signing keys, being away, and a token endpoint that answers with a status alone.

import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider } from 'oidc-provider';

const people = new Map([
  ['dana', { kind: 'user', groups: ['dba'] }],
  ['omar', { kind: 'user', groups: ['dba'] }],
  ['robot', { kind: 'agent', groups: ['agents'] }],
]);
let away = false;
// What the token endpoint answers instead of doing its work.
let hiccup = 0;
let issuer;
let current;

// What was given out outlives a change of keys.
const kept = new Map();

class Kept {
  constructor(model) {
    this.model = model;
  }
  key(id) {
    return `${this.model}:${id}`;
  }
  async upsert(id, payload) {
    kept.set(this.key(id), payload);
  }
  async find(id) {
    return kept.get(this.key(id));
  }
  async findByUid(uid) {
    return [...kept].find(([key, value]) => key.startsWith(`${this.model}:`) && value.uid === uid)?.[1];
  }
  async findByUserCode() {
    return undefined;
  }
  async consume(id) {
    kept.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    kept.delete(this.key(id));
  }
  async revokeByGrantId(grantId) {
    for (const [key, value] of kept) if (value.grantId === grantId) kept.delete(key);
  }
}

function keys() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' }] };
}

function start() {
  const provider = new Provider(issuer, {
    jwks: keys(),
    adapter: Kept,
    clients: [
      {
        client_id: 'gateway',
        client_secret: process.env.CLIENT_SECRET,
        redirect_uris: ['http://127.0.0.1/oauth/callback/op'],
        grant_types: ['authorization_code', 'refresh_token'],
        require_auth_time: true,
      },
      {
        client_id: 'etl-1',
        client_secret: process.env.CLIENT_SECRET,
        redirect_uris: [],
        response_types: [],
        grant_types: ['client_credentials'],
      },
    ],
    // With `lean` the ID token says only who it is, as the specification has it; the rest is in the UserInfo document.
    conformIdTokenClaims: process.env.LEAN === '1',
    claims: { openid: ['sub'], profile: ['groups', 'kind'] },
    scopes: ['openid', 'offline_access', 'profile', 'act'],
    cookies: { keys: [randomUUID()] },
    pkce: { required: () => true },
    async findAccount(_, id) {
      const person = people.get(id);
      return person && { accountId: id, claims: async () => ({ sub: id, ...person }) };
    },
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: async (_, resource) => ({
          scope: 'act',
          audience: resource,
          accessTokenTTL: 300,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
        useGrantedResource: async () => false,
      },
    },
    extraTokenClaims: async (_, token) =>
      token.kind === 'ClientCredentials' ? { kind: 'agent', groups: ['agents'] } : undefined,
  });
  // The gateway's port is known only when it listens.
  provider.Client.prototype.redirectUriAllowed = (uri) =>
    /^http:\/\/127\.0\.0\.1:\d+\/oauth\/callback\/op$/.test(uri);
  current = provider.callback();
}

function control(url, response) {
  const what = Object.fromEntries(url.searchParams);
  if (what.groups !== undefined) people.get(what.of).groups = what.groups.split(',').filter(Boolean);
  if (what.gone) people.delete(what.gone);
  if (what.rotate) start();
  if (what.hiccup) hiccup = Number(what.hiccup);
  if (what.away) away = what.away === 'yes';
  response.end('done');
}

const server = createServer((request, response) => {
  const url = new URL(request.url, issuer);
  if (url.pathname === '/_control') return control(url, response);
  if (away) {
    response.statusCode = 503;
    return response.end();
  }
  if (hiccup && url.pathname === '/token') {
    response.statusCode = hiccup;
    return response.end('{"message":"slow down"}');
  }
  return current(request, response);
});
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  start();
  console.log(`ready ${issuer}`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
