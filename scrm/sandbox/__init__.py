"""A stand-alone look-alike of the WeCom server API, with people who act and a virtual clock.

It imports nothing else of this project, so that what it says happened is an independent witness.
"""
