"""Are published worked examples reproduced?"""
