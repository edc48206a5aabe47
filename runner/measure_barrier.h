// Owns the measurement of what two spinning threads cost each other: a barrier, and values handed over at one.
#ifndef RTMC_RUNNER_MEASURE_BARRIER_H
#define RTMC_RUNNER_MEASURE_BARRIER_H

namespace rtmc::runner {

/// A barrier that took longer met a processor that was busy with something else.
inline constexpr double kBusyBarrierNs = 20'000;

/// Nanoseconds, the best of many short runs in `budget` seconds; goes on for up to ten times as long while all runs
/// were disturbed. Needs two processors. The threads are kept on different ones where the system allows it.
double barrierNs(double budget);

/// Nanoseconds per 64-byte line that one thread writes before a barrier and the other reads behind it, beyond what a
/// line of its own takes: each writes half of a vector and reads the other half, as the threads of a step do. Measured
/// in the same way; may come out below 0 where nothing can be seen.
double handoverNs(double budget);

}  // namespace rtmc::runner

#endif
