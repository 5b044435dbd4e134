-- For wrk with as many threads as connections: each refreshes its own session again and again.
local tokens = {}
for token in (os.getenv("BENCH_TOKENS") or ""):gmatch("%S+") do table.insert(tokens, token) end
local threads = {}

function setup(thread)
  table.insert(threads, thread)
  thread:set("first", tokens[#threads])
end

function init()
  good, bad = 0, 0
  token = first
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  return wrk.format(nil, nil, nil, '{"refresh":"' .. token .. '"}')
end

function response(status, _, body)
  local successor = body:match('"refresh":%s*"([^"]+)"')
  if status == 200 and successor then
    good, token = good + 1, successor
  else
    bad = bad + 1
  end
end

function done(summary, latency)
  local sums = { good = 0, bad = 0 }
  for _, thread in ipairs(threads) do
    for name in pairs(sums) do sums[name] = sums[name] + thread:get(name) end
  end
  print(string.format("answers good=%d bad=%d seconds=%.3f p50=%.3f p99=%.3f",
    sums.good, sums.bad + summary.errors.timeout, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
