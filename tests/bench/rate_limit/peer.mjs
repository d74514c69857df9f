// The scenarios of main.rs with rate-limiter-flexible: peer.mjs FOLDER-WITH-NODE_MODULES URL SCENARIOS.json
// Once as it comes, and once with its memory of who is blocked (`inMemoryBlockOnConsumed`). Prints one JSON object a line.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const [folder, url, file] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const { RateLimiterDynamo, RateLimiterRes } = require('rate-limiter-flexible');
const { DynamoDB } = require('@aws-sdk/client-dynamodb');
const s = JSON.parse(readFileSync(file, 'utf8'));

const credentials = { accessKeyId: 'local', secretAccessKey: 'local-development-only' };
const storeClient = new DynamoDB({ endpoint: url, region: 'us-east-1', credentials });
const counts = async () => (await fetch(`${url}/counts`)).json();
const throttle = (on) => fetch(`${url}/throttle/${on}`, { method: 'PUT' });

const made = (points, keyPrefix, remembers) => new Promise((resolve, reject) => {
    const options = { storeClient, tableName: 'peer', points, duration: s.window_s, keyPrefix };
    if (remembers) options.inMemoryBlockOnConsumed = points;
    const limiter = new RateLimiterDynamo(options, (error) => error ? reject(error) : resolve(limiter));
});

const none = () => ({ admitted: [], denied: 0, failed: 0 });
const sum = (outcomes) => outcomes.reduce((all, one) => ({
    admitted: all.admitted.concat(one.admitted), denied: all.denied + one.denied, failed: all.failed + one.failed,
}), none());

async function decide(limiter, key, outcome) {
    try {
        await limiter.consume(key);
        outcome.admitted.push(performance.now());
    } catch (refusal) {
        if (refusal instanceof RateLimiterRes) outcome.denied += 1;
        else outcome.failed += 1;
    }
}

const byClients = async (client) => sum(await Promise.all(Array.from({ length: s.clients }, (_, index) => client(index))));

// So many decisions in all, as fast as they are answered.
const rush = (limiter, key, decisions) => byClients(async (client) => {
    const outcome = none();
    for (let n = client; n < decisions; n += s.clients) await decide(limiter, key, outcome);
    return outcome;
});

function flood(limiter, key, seconds) {
    const started = performance.now(), gap = 1000 / s.flood_rate;
    return byClients(async (client) => {
        const outcome = none();
        let next = started + gap * client;
        while (next < started + 1000 * seconds) {
            const wait = next - performance.now();
            if (0 < wait) await sleep(wait);
            await decide(limiter, key, outcome);
            next = Math.max(next + gap * s.clients, performance.now());
        }
        return outcome;
    });
}

function fullestWindow(admitted) {
    const times = admitted.toSorted((a, b) => a - b);
    let most = 0, first = 0;
    times.forEach((time, last) => {
        while (times[first] <= time - 1000 * s.window_s) first += 1;
        most = Math.max(most, last - first + 1);
    });
    return most;
}

async function measured(who, scenario, run) {
    await counts();
    const started = performance.now(), before = process.cpuUsage();
    const { admitted, denied, failed } = await run();
    const seconds = (performance.now() - started) / 1000, { user, system } = process.cpuUsage(before);
    await sleep(200);
    console.log(JSON.stringify({
        who, scenario, seconds, cpu_seconds: (user + system) / 1e6, admitted: admitted.length, denied, failed,
        fullest_window: fullestWindow(admitted), calls: await counts(),
    }));
}

async function run(who, remembers) {
    const limiter = await made(s.limit, who, remembers), unlimited = await made(1_000_000, `${who}-all`, remembers);
    await rush(limiter, 'denied', s.limit + s.clients);
    await measured(who, 'hot key denied', () => flood(limiter, 'denied', s.flood_s));
    await measured(who, 'hot key admitted', () => rush(unlimited, 'admitted', s.admitted));
    await measured(who, 'many keys', () => byClients(async (client) => {
        const outcome = none();
        for (let key = client; key < s.keys; key += s.clients) await decide(limiter, `key-${key}`, outcome);
        return outcome;
    }));
    await measured(who, 'boundary attack', async () => {
        const started = performance.now(), outcome = none();
        await decide(limiter, 'boundary', outcome);
        await sleep(started + 1000 * (s.window_s - 4) - performance.now());
        const before = await rush(limiter, 'boundary', s.limit);
        await sleep(started + 1000 * s.window_s + 50 - performance.now());
        return sum([outcome, before, await rush(limiter, 'boundary', s.limit)]);
    });
    await throttle(true);
    await measured(who, 'every call throttled', async () => {
        const outcome = none();
        for (let n = 0; n < s.throttled; n += 1) await decide(limiter, `throttled-${n}`, outcome);
        return outcome;
    });
    await throttle(false);
}

await run('flexible', false);
await run('flexible, remembering', true);
