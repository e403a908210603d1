/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of num.c alone. Each entry is a rounded exact value, so it can be computed again from its
 * definition with any arithmetic of 100 digits; the test against MPFR notices a wrong one. */
#ifndef BASE_NUM_TABLE_H
#define BASE_NUM_TABLE_H

/* ln 2 / 32, the step of the exp table, split twice. With STEP_HI (34 bits) the product with a
 * count below 2^19 is exact; STEP_1 + STEP_2 carry 106 bits for larger counts. */
#define STEP_INV 0x1.71547652b82fep+5
#define STEP_HI 0x1.62e42fefcp-6
#define STEP_LO -0x1.c610ca86c3899p-42
#define STEP_1 0x1.62e42fefa39efp-6
#define STEP_2 0x1.abc9e3b39803fp-61
/* ln 2; LN2_HI is a multiple of 2^-42, so its product with any exponent is exact. */
#define LN2_HI 0x1.62e42fefa38p-1
#define LN2_LO 0x1.ef35793c7673p-45

/* clang-format off */
/* 2^(j/32) = hi + lo */
static const struct {
	double hi, lo;
} exp_table[32] = {
	{0x1p+0, 0}, {0x1.059b0d3158574p+0, 0x1.d73e2a475b465p-55},
	{0x1.0b5586cf9890fp+0, 0x1.8a62e4adc610bp-54}, {0x1.11301d0125b51p+0, -0x1.6c51039449b3ap-54},
	{0x1.172b83c7d517bp+0, -0x1.19041b9d78a76p-55}, {0x1.1d4873168b9aap+0, 0x1.e016e00a2643cp-54},
	{0x1.2387a6e756238p+0, 0x1.9b07eb6c70573p-54}, {0x1.29e9df51fdee1p+0, 0x1.612e8afad1255p-55},
	{0x1.306fe0a31b715p+0, 0x1.6f46ad23182e4p-55}, {0x1.371a7373aa9cbp+0, -0x1.63aeabf42eae2p-54},
	{0x1.3dea64c123422p+0, 0x1.ada0911f09ebcp-55}, {0x1.44e086061892dp+0, 0x1.89b7a04ef80dp-59},
	{0x1.4bfdad5362a27p+0, 0x1.d4397afec42e2p-56}, {0x1.5342b569d4f82p+0, -0x1.07abe1db13cadp-55},
	{0x1.5ab07dd485429p+0, 0x1.6324c054647adp-54}, {0x1.6247eb03a5585p+0, -0x1.383c17e40b497p-54},
	{0x1.6a09e667f3bcdp+0, -0x1.bdd3413b26456p-54}, {0x1.71f75e8ec5f74p+0, -0x1.16e4786887a99p-55},
	{0x1.7a11473eb0187p+0, -0x1.41577ee04992fp-55}, {0x1.82589994cce13p+0, -0x1.d4c1dd41532d8p-54},
	{0x1.8ace5422aa0dbp+0, 0x1.6e9f156864b27p-54}, {0x1.93737b0cdc5e5p+0, -0x1.75fc781b57ebcp-57},
	{0x1.9c49182a3f09p+0, 0x1.c7c46b071f2bep-56}, {0x1.a5503b23e255dp+0, -0x1.d2f6edb8d41e1p-54},
	{0x1.ae89f995ad3adp+0, 0x1.7a1cd345dcc81p-54}, {0x1.b7f76f2fb5e47p+0, -0x1.5584f7e54ac3bp-56},
	{0x1.c199bdd85529cp+0, 0x1.11065895048ddp-55}, {0x1.cb720dcef9069p+0, 0x1.503cbd1e949dbp-56},
	{0x1.d5818dcfba487p+0, 0x1.2ed02d75b3707p-55}, {0x1.dfc97337b9b5fp+0, -0x1.1a5cd4f184b5cp-54},
	{0x1.ea4afa2a490dap+0, -0x1.e9c23179c2893p-54}, {0x1.f50765b6e454p+0, 0x1.9d3e12dd8a18bp-54},
};

/* For m in [1 + i/64, 1 + (i+1)/64): m times inv is near 1, and exactly m in the first row, m/2 in
 * the last, so that nothing cancels around 1. inv has at most 9 bits. hi + lo = -ln inv for the rows
 * below LOG_FOLD and -ln(2 inv) from there on, where the exponent counts one more; hi is a multiple
 * of 2^-42. */
#define LOG_FOLD 27
static const struct {
	double inv, hi, lo;
} log_table[64] = {
	{0x1p+0, 0, 0},
	{0x1.f4p-1, 0x1.8492528c9p-6, -0x1.aa0ba325a0c34p-45},
	{0x1.ecp-1, 0x1.466aed42ep-5, -0x1.c167375bdfd28p-45},
	{0x1.e6p-1, 0x1.aaef2d0fbp-5, 0x1.0fc1a353bb42ep-45},
	{0x1.dep-1, 0x1.1973bd1464p-4, 0x1.566d154f930b3p-44},
	{0x1.d8p-1, 0x1.4d3115d208p-4, -0x1.53a2582f4e1efp-48},
	{0x1.dp-1, 0x1.9335e5d594p-4, 0x1.3115c3abd47dap-45},
	{0x1.cap-1, 0x1.c885801bc4p-4, 0x1.646d1c65aacd3p-45},
	{0x1.c4p-1, 0x1.fe89139dbcp-4, 0x1.56594d82f7a82p-44},
	{0x1.bep-1, 0x1.1aa2b7e24p-3, -0x1.1ac38dde3b366p-44},
	{0x1.b8p-1, 0x1.365fcb015ap-3, -0x1.fd3a0afb9691bp-44},
	{0x1.b2p-1, 0x1.527e5e4a1cp-3, -0x1.4e60b8d4b411dp-44},
	{0x1.acp-1, 0x1.6f0128b756p-3, 0x1.577390d31ef0fp-44},
	{0x1.a6p-1, 0x1.8beafeb39p-3, -0x1.73d54aae92cd1p-47},
	{0x1.a2p-1, 0x1.9f6c40708ap-3, -0x1.337d94bcd3f43p-44},
	{0x1.9cp-1, 0x1.bd087383bep-3, -0x1.d4bc4595412b6p-45},
	{0x1.98p-1, 0x1.d1037f2656p-3, -0x1.84a7e75b6f6e4p-47},
	{0x1.92p-1, 0x1.ef5ade4ddp-3, -0x1.a211565bb8e11p-51},
	{0x1.8ep-1, 0x1.01eae5626cp-2, 0x1.a43dcfade85aep-44},
	{0x1.88p-1, 0x1.1178e8227ep-2, 0x1.1ef78ce2d07f2p-44},
	{0x1.84p-1, 0x1.1bf99635a7p-2, -0x1.1ac89575c2125p-44},
	{0x1.8p-1, 0x1.269621134ep-2, -0x1.1b61f10522625p-44},
	{0x1.7ap-1, 0x1.36b6776be1p-2, 0x1.16ecdb0f177c8p-46},
	{0x1.76p-1, 0x1.419b423d5fp-2, -0x1.ce379226de3ecp-44},
	{0x1.72p-1, 0x1.4c9e09e173p-2, -0x1.e20891b0ad8a4p-45},
	{0x1.6ep-1, 0x1.57bf753c8dp-2, 0x1.fadedee5d40efp-46},
	{0x1.6ap-1, 0x1.630030b3abp-2, -0x1.db623e731aep-45},
	{0x1.66p-1, -0x1.5767717456p-2, 0x1.64ead9524d7cap-44},
	{0x1.62p-1, -0x1.4be5f95778p-2, 0x1.d7c92cd9ad824p-44},
	{0x1.5ep-1, -0x1.404308686ap-2, -0x1.f8ef43049f7d3p-44},
	{0x1.5bp-1, -0x1.3772662bfep-2, 0x1.e9436ac53b023p-44},
	{0x1.57p-1, -0x1.2b9303ab8ap-2, 0x1.6db12d6bfb0a5p-45},
	{0x1.54p-1, -0x1.22941fbcf8p-2, 0x1.a6976f5eb0963p-44},
	{0x1.5p-1, -0x1.1675cababap-2, -0x1.8380e731f55c4p-44},
	{0x1.4dp-1, -0x1.0d46b579abp-2, -0x1.d2c81f640e1e6p-44},
	{0x1.49p-1, -0x1.00e6c45ad5p-2, -0x1.cc68d52e01203p-50},
	{0x1.46p-1, -0x1.ef0adcbdc6p-3, 0x1.b26b79c86af24p-45},
	{0x1.43p-1, -0x1.dc1bca0abep-3, -0x1.8fac1a628ccc6p-44},
	{0x1.4p-1, -0x1.c8ff7c79aap-3, 0x1.7794f689f8434p-45},
	{0x1.3dp-1, -0x1.b5b519e8fcp-3, 0x1.4b722ec011f31p-44},
	{0x1.3ap-1, -0x1.a23bc1fe2cp-3, 0x1.539cd91dc9f0bp-44},
	{0x1.37p-1, -0x1.8e928de886p-3, -0x1.a8154b13d72d5p-44},
	{0x1.34p-1, -0x1.7ab890210ep-3, 0x1.bdb9072534a58p-45},
	{0x1.31p-1, -0x1.66acd4272ap-3, -0x1.aa1bdbfc6c785p-44},
	{0x1.2ep-1, -0x1.526e5e3a1cp-3, 0x1.790ba37fc5238p-44},
	{0x1.2bp-1, -0x1.3dfc2b0eccp-3, -0x1.8a72a62b8c13fp-45},
	{0x1.29p-1, -0x1.303d718e48p-3, 0x1.680b5ce3ecb05p-50},
	{0x1.26p-1, -0x1.1b72ad52f6p-3, -0x1.e80a41811a396p-45},
	{0x1.23p-1, -0x1.0671512ca6p-3, 0x1.a47579cdc0a3dp-45},
	{0x1.21p-1, -0x1.f0a30c0118p-4, 0x1.d599e83368e91p-44},
	{0x1.1ep-1, -0x1.c5e548f5bcp-4, -0x1.d0c57585fbe06p-46},
	{0x1.1cp-1, -0x1.a926d3a4acp-4, -0x1.563650bd22a9cp-44},
	{0x1.19p-1, -0x1.7da766d7bp-4, -0x1.2cc844480c89bp-44},
	{0x1.17p-1, -0x1.60658a9374p-4, -0x1.0c3b1dee9c4f8p-44},
	{0x1.15p-1, -0x1.42edcbea64p-4, -0x1.bc0eeea7c9acdp-46},
	{0x1.12p-1, -0x1.16536eea38p-4, 0x1.47c5e768fa309p-46},
	{0x1.1p-1, -0x1.f0a30c0118p-5, 0x1.d599e83368e91p-45},
	{0x1.0ep-1, -0x1.b42dd71198p-5, 0x1.c827ae5d6704cp-46},
	{0x1.0bp-1, -0x1.58a5bafc9p-5, 0x1.b2b739570ad39p-45},
	{0x1.09p-1, -0x1.1b0d98924p-5, 0x1.3401e9ae889bbp-44},
	{0x1.07p-1, -0x1.b9fc027bp-6, 0x1.b9a010ae6922ap-44},
	{0x1.05p-1, -0x1.3cea44347p-6, 0x1.6a2c432d6a40bp-44},
	{0x1.03p-1, -0x1.7dc475f82p-7, 0x1.eb1245b5da1f5p-44},
	{0x1p-1, 0, 0},
};
/* clang-format on */

#endif
