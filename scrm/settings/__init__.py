from scrm.settings.base import *
