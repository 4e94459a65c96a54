"""Who is in TIMIT's dev and core test sets.

The core test set is the corpus's own (its documentation, TESTSET.DOC: two men and a woman of each dialect region). The
50 dev speakers are those of Halberstadt (1998), which Kaldi's recipe lists as conf/dev_spk.list. Both are speakers of
TEST. They share no speaker, but SX sentences: all of TEST reads the 120 of the core test set.
"""

from __future__ import annotations

from typing import Final

# one line per dialect region, DR1 to DR8
_CORE_TEST = """
    MDAB0 MWBT0 FELC0
    MTAS1 MWEW0 FPAS0
    MJMP0 MLNT0 FPKT0
    MLLL0 MTLS0 FJLM0
    MBPM0 MKLT0 FNLP0
    MCMJ0 MJDH0 FMGD0
    MGRT0 MNJM0 FDHC0
    MJLN0 MPAM0 FMLD0
"""
_DEV = """
    FAKS0 FDAC1 FJEM0 MGWT0 MJAR0 MMDB1 MMDM2 MPDF0 FCMH0 FKMS0 MBDG0 MBWM0 MCSH0 FADG0 FDMS0 FEDW0 MGJF0
    MGLB0 MRTK0 MTAA0 MTDT0 MTHC0 MWJG0 FNMR0 FREW0 FSEM0 MBNS0 MMJR0 MDLS0 MDLF0 MDVC0 MERS0 FMAH0 FDRW0
    MRCS0 MRJM4 FCAL1 MMWH0 FJSJ0 MAJC0 MJSW0 MREB0 FGJD0 FJMG0 MROA0 MTEB0 MJFC0 MRJR0 FMML0 MRWS1
"""
CORE_TEST: Final = frozenset(_CORE_TEST.split())
DEV: Final = frozenset(_DEV.split())
