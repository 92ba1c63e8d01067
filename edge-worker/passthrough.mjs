// Hands every request on and does nothing else: what the guarded worker is measured against.

export default {
  fetch(request, env) {
    const { pathname, search } = new URL(request.url);
    return fetch(new Request(env.UPSTREAM + pathname + search, request), { redirect: "manual" });
  },
};
