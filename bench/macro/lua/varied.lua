-- A request that is another one every time: {n} counts.  They are made before
-- the clock starts, and there are far more than a server would remember.
require "report"

local COUNT = 20000
local file = assert(io.open(os.getenv("REQUEST"), "rb"))
local template = file:read("*a")
local requests, turn = {}, 0

function init(args)
   -- The runs of one comparison must not repeat one another's either.
   local first = os.time() % 49999 * COUNT
   for i = 1, COUNT do
      requests[i] = (template:gsub("{n}", string.format("%09d", first + i)))
   end
end

function request()
   turn = turn % COUNT + 1
   return requests[turn]
end
