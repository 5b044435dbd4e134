-- For wrk: post the same body again and again, or a new name each time, and count the answers.
local kind = os.getenv("BENCH_POST")
local names = 0
local threads = {}

function setup(thread)
  table.insert(threads, thread)
  thread:set("number", #threads)
end

function init()
  good, busy, bad = 0, 0, 0
  wrk.method = "POST"
  wrk.headers["Content-Type"] = os.getenv("BENCH_TYPE")
  wrk.body = os.getenv("BENCH_BODY")
end

function request()
  if kind == "new" then
    names = names + 1
    local name = string.format("%s%dx%d", os.getenv("BENCH_PREFIX"), number, names)
    return wrk.format(nil, nil, nil, (wrk.body:gsub("NAME", name)))
  end
  return wrk.format()
end

function response(status)
  if status == 200 or status == 201 then good = good + 1
  elseif status == 503 then busy = busy + 1
  else bad = bad + 1 end
end

function done(summary, latency)
  local sums = { good = 0, busy = 0, bad = 0 }
  for _, thread in ipairs(threads) do
    for name in pairs(sums) do sums[name] = sums[name] + thread:get(name) end
  end
  print(string.format("answers good=%d busy=%d bad=%d seconds=%.3f",
    sums.good, sums.busy, sums.bad + summary.errors.timeout, summary.duration / 1e6))
end
