"""Fourier transforms by one block of threads, in float32, in shared memory.

Powers of two: Stockham's FFT in passes of eight and four (Govindaraju et al., "High performance
discrete Fourier transforms on graphics processors", SC 2008), a real one of n samples as a
complex one of n / 2. Other lengths: the sum as it is written, n^2 products.

``re`` and ``im`` are two stretches of one memory: neighbours lie in neighbouring banks. Between
passes a number's place is permuted within 32 (``mixed``), as threads would else meet in one bank
where they write every eighth number. ``table`` [2, k] holds cos and -sin of 2 pi k / n, made in
float64. Indices are ``u32``: for signed ones Numba allows for negatives, at twice the arithmetic.
"""
# ruff: noqa: PLR0917  compiled code takes arguments by position only

import math

import numpy as np
from numba import cuda

from kernels.cuda_block import on_device

u32 = np.uint32
ZERO, HALF, ROOT_HALF = np.float32(0), np.float32(0.5), np.float32(math.sqrt(0.5))
NATURAL, MIXED = 0, 31


@on_device
def mixed(i, mask):
    """Where number i lies between passes. Linear in the bits of i: mixed(i ^ j) = mixed(i) ^ mixed(j).

    Bits 0 to 4, 3 to 7 (of every eighth) and 0 to 2 with 6 and 7 (of every 64th) each reach all 32 banks.
    """
    return i ^ ((((i >> 5) & 7) ^ (((i >> 6) & 3) << 3)) & mask)


@on_device
def places(at, i, one, two):
    return u32(at + i), u32(at + (i ^ one)), u32(at + (i ^ two)), u32(at + (i ^ one ^ two))


@on_device
def turned(x, y, cosine, sine):
    return x * cosine - y * sine, x * sine + y * cosine


@on_device
def turned_after(done, x, y, cosine, sine):
    """The first pass, before which no bits are done, turns nothing."""
    if done == 0:
        return x, y
    return turned(x, y, cosine, sine)


@on_device
def four(ax, ay, bx, by, cx, cy, dx, dy):
    """The transform of four numbers."""
    ex, ey, fx, fy = ax + cx, ay + cy, ax - cx, ay - cy
    gx, gy, hx, hy = bx + dx, by + dy, bx - dx, by - dy
    return ex + gx, ey + gy, fx + hy, fy - hx, ex - gx, ey - gy, fx - hy, fy + hx


@on_device
def pass_of_four(re, im, source, target, bits, done, mask_in, mask_out, table, shift, thread, threads):
    """Four transforms of 2^done numbers become one, in each of 2^(bits - 2 - done) groups."""
    quarter = 1 << (bits - 2)
    in1, in2 = mixed(quarter, mask_in), mixed(2 * quarter, mask_in)
    out1, out2 = mixed(1 << done, mask_out), mixed(2 << done, mask_out)
    for i in range(max(quarter // threads, 1)):
        j = i * threads + thread
        if j < quarter:
            low = j & ((1 << done) - 1)
            cos1, sin1 = table[0, u32(low << shift)], table[1, u32(low << shift)]
            cos2, sin2 = turned(cos1, sin1, cos1, sin1)
            cos3, sin3 = turned(cos2, sin2, cos1, sin1)
            a, b, c, d = places(source, mixed(j, mask_in), in1, in2)
            bx, by = turned_after(done, re[b], im[b], cos1, sin1)
            cx, cy = turned_after(done, re[c], im[c], cos2, sin2)
            dx, dy = turned_after(done, re[d], im[d], cos3, sin3)
            ax, ay, bx, by, cx, cy, dx, dy = four(re[a], im[a], bx, by, cx, cy, dx, dy)
            a, b, c, d = places(target, mixed(((j >> done) << (done + 2)) | low, mask_out), out1, out2)
            re[a], re[b], re[c], re[d] = ax, bx, cx, dx
            im[a], im[b], im[c], im[d] = ay, by, cy, dy


@on_device
def pass_of_eight(re, im, source, target, bits, done, mask_in, mask_out, table, shift, thread, threads):
    """As ``pass_of_four``, of eight: of the even four and of the odd four, then of both."""
    eighth = 1 << (bits - 3)
    in1, in2, in4 = mixed(eighth, mask_in), mixed(2 * eighth, mask_in), mixed(4 * eighth, mask_in)
    out1, out2, out4 = mixed(1 << done, mask_out), mixed(2 << done, mask_out), mixed(4 << done, mask_out)
    for i in range(max(eighth // threads, 1)):
        j = i * threads + thread
        if j < eighth:
            low = j & ((1 << done) - 1)
            cos1, sin1 = table[0, u32(low << shift)], table[1, u32(low << shift)]
            at = mixed(j, mask_in)
            even, odd = places(source, at, in2, in4), places(source, at ^ in1, in2, in4)
            ax, ay, bx, by, cx, cy, dx, dy = even_four(re, im, even, done, cos1, sin1)
            ex, ey, fx, fy, gx, gy, hx, hy = odd_four(re, im, odd, done, cos1, sin1)
            at = mixed(((j >> done) << (done + 3)) | low, mask_out)
            a, b, c, d = places(target, at, out1, out2)
            re[a], re[b], re[c], re[d] = ax + ex, bx + fx, cx + gx, dx + hx
            im[a], im[b], im[c], im[d] = ay + ey, by + fy, cy + gy, dy + hy
            a, b, c, d = places(target, at ^ out4, out1, out2)
            re[a], re[b], re[c], re[d] = ax - ex, bx - fx, cx - gx, dx - hx
            im[a], im[b], im[c], im[d] = ay - ey, by - fy, cy - gy, dy - hy


@on_device
def even_four(re, im, at, done, cos1, sin1):
    a, b, c, d = at
    cos2, sin2 = turned(cos1, sin1, cos1, sin1)
    cos4, sin4 = turned(cos2, sin2, cos2, sin2)
    cos6, sin6 = turned(cos4, sin4, cos2, sin2)
    bx, by = turned_after(done, re[b], im[b], cos2, sin2)
    cx, cy = turned_after(done, re[c], im[c], cos4, sin4)
    dx, dy = turned_after(done, re[d], im[d], cos6, sin6)
    return four(re[a], im[a], bx, by, cx, cy, dx, dy)


@on_device
def odd_four(re, im, at, done, cos1, sin1):
    """As ``even_four``, each then turned by as many eighths of a circle as the number it goes with."""
    a, b, c, d = at
    cos2, sin2 = turned(cos1, sin1, cos1, sin1)
    cos3, sin3 = turned(cos2, sin2, cos1, sin1)
    cos5, sin5 = turned(cos3, sin3, cos2, sin2)
    cos7, sin7 = turned(cos5, sin5, cos2, sin2)
    ax, ay = turned_after(done, re[a], im[a], cos1, sin1)
    bx, by = turned_after(done, re[b], im[b], cos3, sin3)
    cx, cy = turned_after(done, re[c], im[c], cos5, sin5)
    dx, dy = turned_after(done, re[d], im[d], cos7, sin7)
    ax, ay, bx, by, cx, cy, dx, dy = four(ax, ay, bx, by, cx, cy, dx, dy)
    bx, by = ROOT_HALF * (bx + by), ROOT_HALF * (by - bx)
    dx, dy = ROOT_HALF * (dy - dx), -ROOT_HALF * (dx + dy)
    return ax, ay, bx, by, cy, -cx, dx, dy


def transform_of(bits, table_bits, threads, done=0):
    """The transform of 2^bits (8 or more) complex numbers by ``threads`` (a power of two), for a kernel.

    ``run(re, im, table, source, target, other, thread)``: from ``source``, in the stretch ``other``, to
    ``target`` and back, pass by pass; it gives where the result lies. ``table`` is that of 2^table_bits.
    All else is known as it is compiled, which halves the arithmetic. After ``done`` bits: the rest of it.
    """
    left = bits - done
    size = 3 if left % 3 == 0 or left > 4 else 2
    one_pass = pass_of_eight if size == 3 else pass_of_four
    mask_in, mask_out = MIXED if done else NATURAL, MIXED if left > size else NATURAL
    shift = table_bits - done - size

    @on_device
    def last(re, im, table, source, target, other, thread):
        one_pass(re, im, source, target, bits, done, mask_in, mask_out, table, shift, thread, threads)
        cuda.syncthreads()
        return target

    if left == size:
        return last
    rest = transform_of(bits, table_bits, threads, done + size)

    @on_device
    def run(re, im, table, source, target, other, thread):
        one_pass(re, im, source, target, bits, done, mask_in, mask_out, table, shift, thread, threads)
        cuda.syncthreads()
        return rest(re, im, table, target, other, target, thread)

    return run


@on_device
def untangle(re, im, at, bits, table, shift, thread, threads):
    """The half spectrum of 2^(bits+1) real samples, 2^bits + 1 bins, from that of their pairs, in place."""
    count = 1 << bits
    for i in range((count >> 1) // threads + 1):
        k = i * threads + thread
        if k > count >> 1:
            break
        a, b, mirror = u32(at + k), u32(at + ((count - k) & (count - 1))), u32(at + count - k)
        even_x, even_y = HALF * (re[a] + re[b]), HALF * (im[a] - im[b])
        odd_x, odd_y = HALF * (im[a] + im[b]), HALF * (re[b] - re[a])
        odd_x, odd_y = turned(odd_x, odd_y, table[0, u32(k << shift)], table[1, u32(k << shift)])
        re[a], im[a] = even_x + odd_x, even_y + odd_y
        re[mirror], im[mirror] = even_x - odd_x, odd_y - even_y
    cuda.syncthreads()


@on_device
def slow_real(re, im, source, target, count, table, thread, threads):
    """The half spectrum, count // 2 + 1 bins, of ``count`` real samples at re[source]."""
    k = thread
    while k <= count >> 1:
        x, y, angle = ZERO, ZERO, 0
        for j in range(count):
            x += re[u32(source + j)] * table[0, u32(angle)]
            y += re[u32(source + j)] * table[1, u32(angle)]
            angle = angle + k if angle + k < count else angle + k - count
        re[u32(target + k)], im[u32(target + k)] = x, y
        k += threads
    cuda.syncthreads()


@on_device
def slow_magnitude(re, im, source, target, count, table, thread, threads):
    """|the transform| of ``count`` complex numbers, at re[target]."""
    k = thread
    while k < count:
        x, y, angle = ZERO, ZERO, 0
        for j in range(count):
            i = u32(source + j)
            dx, dy = turned(re[i], im[i], table[0, u32(angle)], table[1, u32(angle)])
            x, y = x + dx, y + dy
            angle = angle + k if angle + k < count else angle + k - count
        re[u32(target + k)] = math.sqrt(x * x + y * y)
        k += threads
    cuda.syncthreads()
