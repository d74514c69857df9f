// The same work by mailauth: parse, SPF, DKIM, DMARC and the header field. DNS is asked through Node's own resolver at
// ADDRESS:PORT, or answered from memory where that is `memory`.
import { readFileSync } from 'node:fs';
import { promises as dns } from 'node:dns';
import { createRequire } from 'node:module';

const [, , folder, seconds, server] = process.argv;
const { authenticate } = createRequire(`${folder}/`)('mailauth');
const zone = JSON.parse(readFileSync(`${folder}/zone.json`));
const memory = async (name, type) => {
    if (type === 'TXT' && zone[name]) return [[zone[name]]];
    throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
};
const asked = new dns.Resolver();
if (server !== 'memory') asked.setServers([server]);
const options = {
    ip: '192.0.2.1', helo: 'mail.bookshop.example', mta: 'mx.receiver.test', sender: 'b@bookshop.example',
    resolver: server === 'memory' ? memory : (name, type) => asked.resolve(name, type), disableBimi: true,
};
for (const name of ['rsa2048', 'ed25519']) {
    const message = readFileSync(`${folder}/${name}.eml`);
    let count = 0;
    const judge = async () => {
        const { dkim, spf, dmarc } = await authenticate(message, options);
        const found = [dkim.results[0].status.result, spf.status.result, dmarc.status.result];
        if (found.some(result => result !== 'pass')) throw new Error(`${name}: ${found}`);
    };
    for (let warm = 0; warm < 50; warm++) await judge();
    const started = performance.now();
    while (performance.now() - started < seconds * 1000) {
        await judge();
        count++;
    }
    console.log(name, Math.round(count / ((performance.now() - started) / 1000)));
}
