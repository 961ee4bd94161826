"""The escape-time algorithm on many pixels at once: z <- f(z) + c until z runs away, settles, or time is up.

The pixels of a band are kept as rows of one ``float32[FIELDS, n]`` buffer (or float64). They are iterated together,
:data:`ROUND` steps at a time, in loops without branches (so that they are vectorised); after each round the
finished ones are written out and the others moved together. An orbit that comes back to where it was has
settled in the interior and is finished early.

*Orbit traps are conics*: the trap's value is the least |q(z)| on the orbit for a quadratic polynomial q,
which gives points, lines, crosses, circles, ellipses, parabolas and hyperbolas with one formula.
"""

import numpy as np

from ipmix.core.compiling import compiled

ROUND = 4
BAILOUT = 256.0
"""An orbit has escaped at |z| > 16: beyond 2, where escape is certain, so that the count is smooth."""

QUADRATIC, CUBIC, QUARTIC, TRICORN, BURNING_SHIP = range(5)
FORMULAS = ("quadratic", "cubic", "quartic", "tricorn", "burning-ship")
DEGREES = np.array([2.0, 3.0, 4.0, 2.0, 2.0])

# Rows of the buffer. What must move with an orbit comes last: norm and steps are known anew in each round.
NORM, STEPS, OLD_X, OLD_Y, CX, CY, ZX, ZY, TRAP, PIXEL = range(10)
FIELDS = 10


@compiled
def _round_quadratic(buffer, n, fold, sign, one, bailout, q):
    # fold: take absolute values first (burning ship); sign -1: conjugate (tricorn).
    two = sign + sign
    q0, q1, q2, q3, q4, q5 = q[0], q[1], q[2], q[3], q[4], q[5]
    for i in range(np.uint64(n)):
        x = buffer[ZX, i]
        y = buffer[ZY, i]
        a = buffer[CX, i]
        b = buffer[CY, i]
        steps = buffer[STEPS, i]
        trap = buffer[TRAP, i]
        xx = x * x
        yy = y * y
        for _ in range(ROUND):
            # An orbit that has escaped is frozen; its trap value then repeats, which changes no minimum.
            alive = xx + yy <= bailout
            xy = x * y
            xy = abs(xy) if fold else xy
            x = xx - yy + a if alive else x
            y = two * xy + b if alive else y
            steps = steps + one if alive else steps
            xx = x * x
            yy = y * y
            near = abs(q0 * xx + q2 * yy + (q1 * x + q4) * y + (q3 * x + q5))
            trap = near if near < trap else trap
        buffer[ZX, i] = x
        buffer[ZY, i] = y
        buffer[NORM, i] = xx + yy
        buffer[STEPS, i] = steps
        buffer[TRAP, i] = trap


@compiled
def _round_higher(buffer, n, quartic, one, bailout, q):
    q0, q1, q2, q3, q4, q5 = q[0], q[1], q[2], q[3], q[4], q[5]
    for i in range(np.uint64(n)):
        x = buffer[ZX, i]
        y = buffer[ZY, i]
        a = buffer[CX, i]
        b = buffer[CY, i]
        steps = buffer[STEPS, i]
        trap = buffer[TRAP, i]
        xx = x * x
        yy = y * y
        for _ in range(ROUND):
            alive = xx + yy <= bailout
            square_x = xx - yy
            square_y = x * y + x * y
            other_x = square_x if quartic else x
            other_y = square_y if quartic else y
            x = square_x * other_x - square_y * other_y + a if alive else x
            y = square_x * other_y + square_y * other_x + b if alive else y
            steps = steps + one if alive else steps
            xx = x * x
            yy = y * y
            near = abs(q0 * xx + q2 * yy + (q1 * x + q4) * y + (q3 * x + q5))
            trap = near if near < trap else trap
        buffer[ZX, i] = x
        buffer[ZY, i] = y
        buffer[NORM, i] = xx + yy
        buffer[STEPS, i] = steps
        buffer[TRAP, i] = trap


@compiled
def _finished(buffer, n, tolerance):
    done = np.int32(0)
    for i in range(np.uint64(n)):
        dx = buffer[ZX, i] - buffer[OLD_X, i]
        dy = buffer[ZY, i] - buffer[OLD_Y, i]
        done = np.int32(done + np.int32((buffer[NORM, i] > BAILOUT) | (dx * dx + dy * dy < tolerance)))
    return int(done)


@compiled
def _settle(buffer, n, steps, tolerance, places, counts, norms, traps):
    # Write out the orbits that are finished and move the others together; returns how many are left. Which one is
    # finished can't be foretold: their places are listed without a branch.
    ended = places[0]
    kept = places[1]
    done = np.uint64(0)
    left = np.uint64(0)
    one = np.uint64(1)
    for i in range(np.uint64(n)):
        dx = buffer[ZX, i] - buffer[OLD_X, i]
        dy = buffer[ZY, i] - buffer[OLD_Y, i]
        finished = (buffer[NORM, i] > BAILOUT) | (dx * dx + dy * dy < tolerance)
        ended[done] = i
        kept[left] = i
        done += np.uint64(finished)
        left += one - np.uint64(finished)
    for k in range(done):
        place = np.uint64(ended[k])
        pixel = np.uint64(buffer[PIXEL, place])
        counts[pixel] = buffer[STEPS, place] if buffer[NORM, place] > BAILOUT else -1.0
        norms[pixel] = buffer[NORM, place]
        traps[pixel] = buffer[TRAP, place]
    for row in range(OLD_X, FIELDS):
        line = buffer[row]
        for k in range(left):
            line[k] = line[np.uint64(kept[k])]
    line = buffer[STEPS]
    for k in range(left):
        line[k] = steps
    return int(left)


@compiled
def iterate(buffer, n, formula, most, tolerance, q, places, counts, norms, traps):
    """Run the first ``n`` orbits of ``buffer`` (rows ZX, ZY, CX, CY and PIXEL are set) to their end.

    ``counts``, ``norms`` and ``traps`` are float64[pixels] or float32: the steps until |z|**2 exceeded
    :data:`BAILOUT` (-1: it never did), |z|**2 there, and the trap's value. ``most`` bounds the steps (rounded up to a
    multiple of 4); ``tolerance`` is the squared distance at which an orbit counts as having returned; ``q`` is the
    trap's conic, then 1 and the bailout; ``places`` is int32[2, n + 1], overwritten.
    """
    # In the buffer's own type: a float64 constant would widen a float32 loop.
    one = q[6]
    bailout = q[7]
    zero = one - one
    far = one * np.float32(1e9)
    for i in range(np.uint64(n)):
        buffer[STEPS, i] = zero
        buffer[TRAP, i] = far
        buffer[OLD_X, i] = far
        buffer[OLD_Y, i] = far
    sign = -one if formula == TRICORN else one
    rounds = 0
    renew_at = 1
    while n > 0 and rounds * ROUND < most:
        if formula == CUBIC or formula == QUARTIC:
            _round_higher(buffer, n, formula == QUARTIC, one, bailout, q)
        else:
            _round_quadratic(buffer, n, formula == BURNING_SHIP, sign, one, bailout, q)
        rounds += 1
        # Moving orbits costs more than iterating frozen ones: wait until a quarter of them is finished.
        done = _finished(buffer, n, tolerance)
        if done * 4 >= n or rounds * ROUND >= most:
            n = _settle(buffer, n, rounds * ROUND, tolerance, places, counts, norms, traps)
        # Brent's method: comparing with a position renewed at powers of two finds every cycle length.
        if rounds == renew_at:
            renew_at *= 2
            for i in range(np.uint64(n)):
                buffer[OLD_X, i] = buffer[ZX, i]
                buffer[OLD_Y, i] = buffer[ZY, i]
    for i in range(n):
        pixel = int(buffer[PIXEL, i])
        counts[pixel] = -1.0
        norms[pixel] = buffer[ZX, i] * buffer[ZX, i] + buffer[ZY, i] * buffer[ZY, i]  # NORM was not moved
        traps[pixel] = buffer[TRAP, i]
