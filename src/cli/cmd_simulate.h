/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CMD_SIMULATE_H
#define CLI_CMD_SIMULATE_H

extern const char simulate_usage[];
/* argv[0] is the command's name. The exit status: 0 done, 1 failed, 2 bad usage. */
int cmd_simulate(int argc, char **argv);

#endif
