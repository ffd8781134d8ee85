-- The same bytes every time, and who answered how often, by X-Worker.
require "fixed"

local plain, threads = done, {}
answers = {}

function setup(thread) table.insert(threads, thread) end

function response(status, headers, body)
   local worker = headers["X-Worker"] or "nobody"
   answers[worker] = (answers[worker] or 0) + 1
end

function done(summary, latency, requests)
   local most, all = 0, 0
   for _, count in pairs(threads[1]:get("answers")) do
      most, all = math.max(most, count), all + count
   end
   plain(summary, latency, requests)
   io.write(string.format('{"share": %.4f}\n', most / all))
end
