// A queue for workerd, which has none of its own: takes what the binding sends, keeps it, and hands it to its consumer until
// that has it, the same message twice at the end as Cloudflare's may do.

const waiting = [];
let received = 0;

async function hand(env) {
  const messages = waiting.map(({ id, body }) => ({ id, timestamp: new Date(), body, attempts: 1 }));
  const { outcome, retryBatch } = await env.CONSUMER.queue("modelgate-events", messages);
  return outcome === "ok" && !retryBatch.retry;
}

async function deliver(env) {
  for (let tries = 0; waiting.length > 0 && tries < 300; tries += 1) {
    const count = waiting.length;
    if (await hand(env) && await hand(env)) waiting.splice(0, count);
    else await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

export default {
  async fetch(request, env, ctx) {
    for (const { body, contentType } of (await request.json()).messages) {
      if (contentType !== "text") return new Response("", { status: 400 });
      received += 1;
      waiting.push({ id: `message-${received}`, body: atob(body) });
    }
    ctx.waitUntil(deliver(env));
    return Response.json({ metadata: { metrics: { backlogCount: waiting.length, backlogBytes: 0, oldestMessageTimestamp: 0 } } });
  },
};
