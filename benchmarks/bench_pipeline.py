"""The complete pipeline beside brokers on the same work in the same run: per second, latency, memory and cost.

A real `valise hub serve` verifies, decides, records, logs and commits before it accepts; addressees poll and confirm
copies of 4 kB. The load comes from this process, on the same cores. What is sealed is sealed before. Peers
(`pipeline/peers.py`) verify and decide nothing; they are durable before they acknowledge, too.

    python -m benchmarks.bench_pipeline
"""

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import Final

from benchmarks.pipeline.load import Arrivals, Served, collecting, hand_over, lines, serving
from benchmarks.pipeline.office import ORIGINATOR, Office, found_office, seal_messages
from benchmarks.pipeline.peers import PEERS, MissingPeerError, Peer, measure

RUNS: Final = ((1, 2_000), (10, 800), (100, 150))  # addressees, messages
WARM: Final = 64  # messages before the clock runs
QUEUED: Final = 500  # messages to a hundred that wait: 50,000 copies
PACE: Final = (20, 160)  # messages a second and in all, for latency
MOST: Final = 100  # addressees


async def throughput(served: Served, office: Office, frames: list[bytes], addressees: int) -> float:
    """Print the line of one run, every copy delivered and confirmed; return the messages delivered in a second."""
    partners = office.addressees[:addressees]
    async with lines(served, office, partners) as open_lines:
        warm = Arrivals(WARM * addressees)
        async with collecting(open_lines, partners, warm):
            await hand_over(open_lines[ORIGINATOR], frames[:WARM])
            await warm.done.wait()
        arrivals = Arrivals((len(frames) - WARM) * addressees)
        cpu, start = served.cpu(), time.perf_counter()
        async with collecting(open_lines, partners, arrivals):
            await hand_over(open_lines[ORIGINATOR], frames[WARM:])
            accepted = time.perf_counter() - start
            await arrivals.done.wait()
            delivered = time.perf_counter() - start
    count = len(frames) - WARM
    cost = (served.cpu() - cpu) / count * 1_000
    print(
        f"{addressees:>10} {count / accepted:>9,.0f} {count / delivered:>9,.0f} {arrivals.copies / delivered:>9,.0f} "
        f"{cost:>8.2f} {served.resident():>8.0f}",
        flush=True,
    )
    return count / delivered


async def latency(served: Served, office: Office, frames: list[bytes]) -> str:
    """Return the line of the paced run: from handing a message over alone until each addressee has it."""
    rate, _ = PACE
    partners = office.addressees[:10]
    arrivals = Arrivals(len(frames) * len(partners))
    async with lines(served, office, partners) as open_lines, collecting(open_lines, partners, arrivals):
        sent = []
        start = time.perf_counter()
        for place, frame in enumerate(frames):
            await asyncio.sleep(max(0.0, start + place / rate - time.perf_counter()))
            arrivals.starts[frame[-32:]] = time.perf_counter()
            sent.append(asyncio.create_task(open_lines[ORIGINATOR].ask("POST", "/v1/messages", frame)))
        await asyncio.gather(*sent)
        await arrivals.done.wait()
    cuts = quantiles(arrivals.seconds, n=100)
    return f"paced, {rate}/s to 10: p50 {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms"


async def catch_up(served: Served, office: Office, frames: list[bytes]) -> str:
    """Return the line about many copies that wait: memory, and how fast they are handed out."""
    partners = office.addressees
    copies = len(frames) * len(partners)
    async with lines(served, office, partners) as open_lines:
        await hand_over(open_lines[ORIGINATOR], frames)
        resident = served.resident()
        arrivals = Arrivals(copies)
        start = time.perf_counter()
        async with collecting(open_lines, partners, arrivals):
            await arrivals.done.wait()
        seconds = time.perf_counter() - start
    return f"{copies:,} copies wait: {resident:.0f} MB resident; caught up at {copies / seconds:,.0f} copies/s"


async def beside(peer: Peer, addressees: int, count: int, rate: float) -> None:
    """Print a peer's rates on the same work, and the hub's delivered rate as a ratio of the peer's."""
    try:
        accepted, delivered = await measure(peer, addressees, count)
    except (MissingPeerError, TimeoutError) as error:
        print(f"           {peer.name}: not measured ({type(error).__name__} {error})", flush=True)
        return
    print(
        f"           {accepted:>8,.0f} {delivered:>9,.0f}  {peer.name}; hub / peer {rate / delivered:.2f}", flush=True
    )


async def hub(folder: Path) -> None:
    """Measure the hub."""
    office = found_office(folder, MOST)
    async with serving(office) as served, lines(served, office, []) as open_lines:
        await open_lines[ORIGINATOR].ask("POST", "/v1/operations", office.operation().encode())
        first = 1
        print("addressees  accepted  delivered  copies/s   CPU ms  MB RSS   (per second; CPU of the hub per message)")
        for addressees, count in RUNS:
            frames = seal_messages(office, office.addressees[:addressees], first=first, count=count + WARM)
            first += len(frames)
            rate = await throughput(served, office, frames, addressees)
            for peer in PEERS:  # in turns with the hub, so that both meet the same neighbours
                await beside(peer, addressees, count, rate)
        frames = seal_messages(office, office.addressees[:10], first=first, count=PACE[1])
        print(await latency(served, office, frames), flush=True)
        frames = seal_messages(office, office.addressees, first=first + PACE[1], count=QUEUED)
        print(await catch_up(served, office, frames), flush=True)
    start = time.perf_counter()
    async with serving(office):
        print(f"start-up on this store: {time.perf_counter() - start:.2f} s, keystore and policy set included")


def main() -> None:
    """Measure the hub, and each peer in turns with it."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(hub(Path(folder)))


if __name__ == "__main__":
    main()
