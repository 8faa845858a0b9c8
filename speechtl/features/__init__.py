"""Waveforms, fbank and MFCC features, CMVN and archives."""
