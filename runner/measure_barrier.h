// Owns the measurement of a barrier between two spinning threads.
#ifndef RTMC_RUNNER_MEASURE_BARRIER_H
#define RTMC_RUNNER_MEASURE_BARRIER_H

namespace rtmc::runner {

/// A barrier that took longer met a processor that was busy with something else.
inline constexpr double kBusyBarrierNs = 20'000;

/// Nanoseconds, the best of many short runs in `budget` seconds; goes on for up to ten times as long while all runs
/// were disturbed. Needs two processors. The threads are kept on different ones where the system allows it.
double barrierNs(double budget);

}  // namespace rtmc::runner

#endif
