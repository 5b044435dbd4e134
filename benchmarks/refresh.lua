-- For wrk with one thread: sessions are refreshed again and again, each by the token that it got
-- last. A request takes a token out of the list, and its answer puts the successor in; there are as
-- many tokens as connections.
local tokens, asked, thread = {}, false, nil

function setup(only)
  thread = only
end

function init()
  good, bad = 0, 0
  for token in (os.getenv("BENCH_TOKENS") or ""):gmatch("%S+") do table.insert(tokens, token) end
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  local token
  if asked then
    token = table.remove(tokens, 1) or "" -- none is left where an answer was bad
  else
    asked, token = true, tokens[1] -- wrk looks at one request beforehand, and does not send it
  end
  return wrk.format(nil, nil, nil, '{"refresh":"' .. token .. '"}')
end

function response(status, _, body)
  local successor = body:match('"refresh":%s*"([^"]+)"')
  if status == 200 and successor then
    good = good + 1
    table.insert(tokens, successor)
  else
    bad = bad + 1
  end
end

function done(summary, latency)
  print(string.format("answers good=%d bad=%d seconds=%.3f p50=%.3f p99=%.3f",
    thread:get("good"), thread:get("bad") + summary.errors.timeout, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
