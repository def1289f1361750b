// An issuer of OpenID Connect that does what it is told on standard input, a JSON object a line, and answers each with a line.
import { createInterface } from 'node:readline';
import { OAuth2Server } from 'oauth2-mock-server';

const server = new OAuth2Server();
const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);

const commands = {
  // A new key beside those that are there.
  async key({ algorithm, kid }) {
    await server.issuer.keys.generate(algorithm, { kid });
    return kid;
  },
  // So many tokens that differ, made with this key.
  async tokens({ kid, count }) {
    const one = (_, index) => server.issuer.buildToken({
      kid,
      scopesOrTransform: (_header, payload) => Object.assign(payload, { aud: 'pets', scope: 'pets:read', jti: `${kid}-${index}` }),
    });
    return Promise.all(Array.from({ length: count }, one));
  },
};

await server.start(0, '127.0.0.1');
server.issuer.url = `http://127.0.0.1:${server.address().port}`;
say(server.issuer.url);
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  say(await commands[command](rest));
}
